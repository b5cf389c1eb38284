//! Hashes of the state of a replica, one for each member of it, so that two replicas that differ
//! can say in what.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use serde::ser::{Error as _, Impossible, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::Error;
use sha2::{Digest, Sha256};

/// Hashes by the names of the parts.
pub type Parts = BTreeMap<String, String>;

/// Number of bytes of a hash that are kept.
const HASH_BYTES: usize = 8;

/// Returns the hash of the JSON text of each member of a struct.
pub(crate) fn hash_parts(value: &impl Serialize) -> Parts {
    value.serialize(Members::default()).expect("the state is a struct, and JSON")
}

/// A serializer of structs, which hashes each member while its text is written.
#[derive(Default)]
struct Members(Parts);

struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SerializeStruct for Members {
    type Ok = Parts;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        let mut text = BufWriter::new(Hasher(Sha256::new()));
        serde_json::to_writer(&mut text, value)?;
        let Hasher(hash) = text.into_inner().map_err(|error| Error::io(error.into()))?;
        self.0.insert(name.to_owned(), hex(&hash.finalize()[..HASH_BYTES]));
        Ok(())
    }

    fn end(self) -> Result<Parts, Error> {
        Ok(self.0)
    }
}

/// Everything but a struct is refused.
macro_rules! refuse {
    ($($method:ident($($type:ty),*);)*) => {
        $(
            fn $method(self, $(_: $type),*) -> Result<Parts, Error> {
                Err(Error::custom("not a struct"))
            }
        )*
    };
    (compound $($method:ident($($type:ty),*) -> $compound:ident;)*) => {
        $(
            fn $method(self, $(_: $type),*) -> Result<Self::$compound, Error> {
                Err(Error::custom("not a struct"))
            }
        )*
    };
}

impl Serializer for Members {
    type Ok = Parts;
    type Error = Error;
    type SerializeSeq = Impossible<Parts, Error>;
    type SerializeTuple = Impossible<Parts, Error>;
    type SerializeTupleStruct = Impossible<Parts, Error>;
    type SerializeTupleVariant = Impossible<Parts, Error>;
    type SerializeMap = Impossible<Parts, Error>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<Parts, Error>;

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Parts, Error> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Parts, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Parts, Error> {
        Err(Error::custom("not a struct"))
    }

    refuse! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    refuse! { compound
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }
}

/// Returns bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Inner {
        number: u32,
        list: Vec<Option<u8>>,
    }

    #[derive(Serialize)]
    struct Wrapper(Inner);

    #[test]
    fn each_member_has_the_hash_of_its_text() {
        let hash = |text: &str| hex(&Sha256::digest(text)[..HASH_BYTES]);
        let parts = hash_parts(&Wrapper(Inner { number: 7, list: vec![Some(1), None] }));
        let expected = [("number", hash("7")), ("list", hash("[1,null]"))];
        assert_eq!(parts, expected.map(|(name, hash)| (name.to_owned(), hash)).into());
    }

    #[test]
    fn other_values_are_refused() {
        assert!([1].serialize(Members::default()).is_err());
        assert!("text".serialize(Members::default()).is_err());
    }
}
