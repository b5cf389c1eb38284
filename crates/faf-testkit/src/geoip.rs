//! A country database with a single address, in the MaxMind DB format, version 2.

/// Marker at the end of the tree and the data; the metadata follows.
const METADATA_MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// Number of zero bytes between the tree and the data.
const SEPARATOR: usize = 16;

/// Returns a database with the country of one address.
#[must_use]
pub fn country_database(address: [u8; 4], country: &str) -> Vec<u8> {
    let bits = u32::from_be_bytes(address);
    let mut file = Vec::new();
    // One node per bit: the matching side leads to the next node and, after the last bit, to the
    // data; the other side leads nowhere.
    for node in 0..32_u32 {
        let next = if node == 31 { 32 + SEPARATOR as u32 } else { node + 1 };
        let sides = if bits >> (31 - node) & 1 == 0 { [next, 32] } else { [32, next] };
        for record in sides {
            file.extend(&record.to_be_bytes()[1..]);
        }
    }
    file.extend([0; SEPARATOR]);
    file.extend(map(&[("country", map(&[("iso_code", text(country))]))]));
    file.extend(METADATA_MARKER);
    file.extend(map(&[
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", [&[1, 2][..], &[1]].concat()),
        ("database_type", text("Test-Country")),
        ("description", map(&[])),
        ("ip_version", number(5, 4)),
        ("languages", vec![0, 4]),
        ("node_count", number(6, 32)),
        ("record_size", number(5, 24)),
    ]));
    file
}

fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![7 << 5 | entries.len() as u8];
    for (key, value) in entries {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    bytes
}

fn text(text: &str) -> Vec<u8> {
    assert!(text.len() < 29, "longer texts have another form");
    [&[2 << 5 | text.len() as u8], text.as_bytes()].concat()
}

/// Returns a number of one byte; `kind` is 5 for u16 and 6 for u32.
fn number(kind: u8, value: u8) -> Vec<u8> {
    vec![kind << 5 | 1, value]
}
