//! Follows the text of an object that arrives in pieces, and checks every byte once.

/// State of an incomplete object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// More must follow.
    Begun,
    /// Nothing but white space may follow.
    Complete,
    /// Nothing that follows can make it an object.
    Broken,
}

/// Follows a text. It detects most texts that cannot become an object, but not all: numbers, escape
/// sequences and the encoding are not checked closely.
#[derive(Debug)]
pub(crate) struct Progress {
    state: State,
    /// The arrays and objects that are open, outermost first.
    open: Vec<Container>,
    nesting_limit: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Array,
    Object,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the object.
    Start,
    /// After an opening brace.
    KeyOrEnd,
    /// After a comma in an object.
    Key,
    Colon,
    /// After an opening bracket.
    ValueOrEnd,
    Value,
    CommaOrEnd,
    String {
        is_key: bool,
        is_escaped: bool,
    },
    Number,
    /// Inside a word; these bytes of it are still missing.
    Word(&'static [u8]),
    Complete,
    Broken,
}

impl Progress {
    pub(crate) fn new(nesting_limit: usize) -> Self {
        Self { state: State::Start, open: Vec::new(), nesting_limit }
    }

    /// Continues with the next piece of the text.
    pub(crate) fn follow(&mut self, text: &[u8]) -> Completeness {
        for byte in text {
            self.state = self.next(*byte);
            if self.state == State::Broken {
                break;
            }
        }
        match self.state {
            State::Complete => Completeness::Complete,
            State::Broken => Completeness::Broken,
            _ => Completeness::Begun,
        }
    }

    fn next(&mut self, byte: u8) -> State {
        match self.state {
            // The four digits after `\u` are not checked here: the parser finds such an error.
            State::String { is_key, is_escaped: true } => match byte {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u' => {
                    State::String { is_key, is_escaped: false }
                }
                _ => State::Broken,
            },
            State::String { is_key, .. } => match byte {
                b'"' if is_key => State::Colon,
                b'"' => State::CommaOrEnd,
                b'\\' => State::String { is_key, is_escaped: true },
                0..b' ' => State::Broken,
                _ => self.state,
            },
            State::Word([next, rest @ ..]) if byte == *next => {
                if rest.is_empty() {
                    State::CommaOrEnd
                } else {
                    State::Word(rest)
                }
            }
            State::Number if matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E') => State::Number,
            State::Number => self.between_tokens(byte, State::CommaOrEnd),
            State::Word(_) | State::Broken => State::Broken,
            state => self.between_tokens(byte, state),
        }
    }

    fn between_tokens(&mut self, byte: u8, state: State) -> State {
        match (state, byte) {
            (_, b' ' | b'\t' | b'\n' | b'\r') => state,
            // Around the object there may be other bytes, such as a byte-order mark before it.
            (State::Start, 0x0B | 0x0C | 0xEF | 0xBB | 0xBF) | (State::Complete, 0x0B | 0x0C) => state,
            (State::Start, b'{') => self.begin(Container::Object),
            (State::KeyOrEnd | State::Key, b'"') => State::String { is_key: true, is_escaped: false },
            (State::KeyOrEnd | State::ValueOrEnd, b'}' | b']') => self.end(byte),
            (State::Colon, b':') => State::Value,
            (State::Value | State::ValueOrEnd, _) => self.begin_value(byte),
            (State::CommaOrEnd, b',') => match self.open.last() {
                Some(Container::Object) => State::Key,
                _ => State::Value,
            },
            (State::CommaOrEnd, _) => self.end(byte),
            _ => State::Broken,
        }
    }

    fn begin_value(&mut self, byte: u8) -> State {
        match byte {
            b'"' => State::String { is_key: false, is_escaped: false },
            b'{' => self.begin(Container::Object),
            b'[' => self.begin(Container::Array),
            b'-' | b'0'..=b'9' => State::Number,
            b't' => State::Word(b"rue"),
            b'f' => State::Word(b"alse"),
            b'n' => State::Word(b"ull"),
            _ => State::Broken,
        }
    }

    fn begin(&mut self, container: Container) -> State {
        if self.open.len() >= self.nesting_limit {
            return State::Broken;
        }
        self.open.push(container);
        match container {
            Container::Array => State::ValueOrEnd,
            Container::Object => State::KeyOrEnd,
        }
    }

    fn end(&mut self, byte: u8) -> State {
        match (self.open.pop(), byte) {
            (Some(Container::Object), b'}') | (Some(Container::Array), b']') => {
                if self.open.is_empty() {
                    State::Complete
                } else {
                    State::CommaOrEnd
                }
            }
            _ => State::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(text: &str) -> Completeness {
        Progress::new(8).follow(text.as_bytes())
    }

    #[test]
    fn an_object_is_complete_at_its_last_brace() {
        let text = "\u{FEFF} {\"a\\\"}\":[1,-2.5e+3,true,{\"b\":null,\"é\":\"\\u00e9}\"},[],{}],\"c\":false}";
        let mut progress = Progress::new(8);
        for (index, byte) in text.bytes().enumerate() {
            let expected = if index + 1 == text.len() { Completeness::Complete } else { Completeness::Begun };
            assert_eq!(progress.follow(&[byte]), expected, "{index}");
        }
        assert_eq!(progress.follow(b" \r\n"), Completeness::Complete);
        assert_eq!(progress.follow(b"{"), Completeness::Broken);
    }

    #[test]
    fn text_that_cannot_become_an_object_is_broken() {
        for text in [
            "1",
            "[",
            "\"",
            "true",
            "{1",
            "{a",
            "{,",
            "{\"a\" 1",
            "{\"a\",",
            "{\"a\":}",
            "{\"a\":x",
            "{\"a\":tx",
            "{\"a\":nul,",
            "{\"a\":1]",
            "{\"a\":[1}",
            "{\"a\":[,",
            "{\"a\":1,}",
            "{\"a\":1 2",
            "{\"a\":\"\\x",
            "{\"a\":\"\u{1}",
            "{}x",
            "{\"a\":[[[[[[[[",
        ] {
            assert_eq!(follow(text), Completeness::Broken, "{text}");
            assert!(text.parse::<crate::Message>().is_err() || text.contains("[[[["), "{text}");
        }
        for text in ["", " ", "{", "{\"a", "{\"a\":[[[[[[[", "{\"a\":-", "{\"a\":1.", "{\"a\":\"\\"] {
            assert_eq!(follow(text), Completeness::Begun, "{text}");
        }
    }
}
