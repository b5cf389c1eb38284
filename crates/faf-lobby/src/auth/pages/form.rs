//! Parameters of requests: `application/x-www-form-urlencoded`, in a query or in a body.

/// Parameters in the order of the request.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, String)>);

/// A parameter is given more than once, which OAuth forbids (RFC 6749 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeated(pub(super) &'static str);

impl Form {
    /// Parses parameters. Invalid escapes stay as they are, and invalid UTF-8 is replaced.
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// Returns the value of a parameter. One without a value counts as missing.
    pub(super) fn get(&self, name: &'static str) -> Result<Option<&str>, Repeated> {
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated(name)),
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_may_not_be_repeated() {
        let form = Form::parse(b"a=1+%2B%C3%A4&b=&c&a2=x=y&d=1&d=1&%65=f");
        assert_eq!(form.get("a"), Ok(Some("1 +ä")));
        assert_eq!((form.get("b"), form.get("c"), form.get("x")), (Ok(None), Ok(None), Ok(None)));
        assert_eq!((form.get("a2"), form.get("e")), (Ok(Some("x=y")), Ok(Some("f"))));
        assert_eq!(form.get("d"), Err(Repeated("d")));
    }
}
