//! Schemas of the contract in the form in which messages are checked against them.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::pattern::Pattern;

/// The kinds of JSON values, as a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const INTEGER: Self = Self(4);
    /// Numbers with a fraction; `number` in a schema is this and the integers.
    pub(super) const FRACTION: Self = Self(8);
    pub(super) const TEXT: Self = Self(16);
    pub(super) const LIST: Self = Self(32);
    pub(super) const OBJECT: Self = Self(64);
    const NUMBER: Self = Self(Self::INTEGER.0 | Self::FRACTION.0);
    const ANY: Self = Self(127);

    /// Returns whether all kinds of the other set are in this one.
    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the kind with this name in a schema.
    fn named(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "string" => Self::TEXT,
            "array" => Self::LIST,
            "object" => Self::OBJECT,
            other => panic!("the contract has a type {other}"),
        }
    }

    /// Returns the kinds in words.
    pub(super) fn text(self) -> String {
        let names = [
            (Self::NULL, "null"),
            (Self::BOOLEAN, "a boolean"),
            (Self::NUMBER, "a number"),
            (Self::INTEGER, "an integer"),
            (Self::FRACTION, "a number with a fraction"),
            (Self::TEXT, "a text"),
            (Self::LIST, "a list"),
            (Self::OBJECT, "an object"),
        ];
        let mut rest = self;
        let mut words = Vec::new();
        for (kinds, name) in names {
            if rest.has(kinds) {
                rest.0 &= !kinds.0;
                words.push(name);
            }
        }
        words.join(" or ")
    }
}

/// Position of a shape in [`Shapes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShapeId(usize);

/// Conditions on a value. Those on a kind do not apply to values of other kinds.
#[derive(Debug)]
pub(super) struct Shape {
    /// The kinds that the value may have.
    pub(super) kinds: Kinds,
    /// The values that it may have; empty for all.
    pub(super) allowed: Vec<Value>,
    /// The least number.
    pub(super) minimum: Option<f64>,
    /// The greatest number.
    pub(super) maximum: Option<f64>,
    /// The least and the greatest number of characters of a text.
    pub(super) length: (usize, usize),
    /// The pattern of a text.
    pub(super) pattern: Option<Pattern>,
    /// The least and the greatest number of elements of a list.
    pub(super) count: (usize, usize),
    /// The first elements of a list, one by one.
    pub(super) first: Vec<ShapeId>,
    /// All further elements.
    pub(super) rest: Option<ShapeId>,
    /// The members of an object.
    pub(super) members: BTreeMap<String, Member>,
    /// Number of members that must be there.
    pub(super) required: usize,
    /// All other members of an object.
    pub(super) others: Others,
    /// The pattern of the names of members.
    pub(super) names: Option<Pattern>,
    /// Members of which exactly one must be there; empty for no such condition.
    pub(super) one_of: Vec<String>,
    /// Shapes of which the value must have one.
    pub(super) branches: Branches,
}

/// Shapes of which a value must have one, by the sign that tells them apart.
#[derive(Debug)]
pub(super) enum Branches {
    /// There is no such condition.
    None,
    /// They are of different kinds.
    ByKind(Vec<ShapeId>),
    /// They are objects with a constant in this member.
    ByMember(String, Vec<(Value, ShapeId)>),
    /// They are lists with a constant as their first element.
    ByFirst(Vec<(Value, ShapeId)>),
}

/// A member that an object has by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) shape: ShapeId,
    pub(super) is_required: bool,
}

/// Members that an object has no name for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    Refused,
    Any,
    Like(ShapeId),
}

/// All shapes of a contract.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    all: Vec<Shape>,
}

impl Shapes {
    pub(super) fn get(&self, id: ShapeId) -> &Shape {
        &self.all[id.0]
    }
}

/// Reads definitions into shapes.
pub(super) struct Reader<'a> {
    shapes: Shapes,
    definitions: &'a Map<String, Value>,
    /// The shapes of definitions, by name.
    named: HashMap<&'a str, ShapeId>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(definitions: &'a Map<String, Value>) -> Self {
        Self { shapes: Shapes::default(), definitions, named: HashMap::new() }
    }

    pub(super) fn finish(self) -> Shapes {
        self.shapes
    }

    /// Reads a definition and all that it refers to.
    ///
    /// # Panics
    /// If there is none, or it uses a keyword of JSON Schema that is not known here, so that
    /// nothing stays unchecked.
    pub(super) fn definition(&mut self, name: &'a str) -> ShapeId {
        if let Some(id) = self.named.get(name) {
            return *id;
        }
        let definitions = self.definitions;
        let schema = definitions.get(name).and_then(Value::as_object);
        let schema = schema.unwrap_or_else(|| panic!("the contract has no definition {name}"));
        // The place is taken first, as a definition may contain itself.
        let id = self.add(Shape::any());
        self.named.insert(name, id);
        self.shapes.all[id.0] = self.read(schema);
        id
    }

    fn add(&mut self, shape: Shape) -> ShapeId {
        self.shapes.all.push(shape);
        ShapeId(self.shapes.all.len() - 1)
    }

    fn inner(&mut self, schema: &'a Value) -> ShapeId {
        match schema {
            Value::Object(schema) => match schema.get("$ref").and_then(Value::as_str) {
                Some(target) => {
                    let name = target.strip_prefix("#/$defs/").expect("references are to definitions");
                    self.definition(name)
                }
                None => {
                    let shape = self.read(schema);
                    self.add(shape)
                }
            },
            Value::Bool(true) => self.add(Shape::any()),
            other => panic!("the contract has the schema {other}"),
        }
    }

    fn read(&mut self, schema: &'a Map<String, Value>) -> Shape {
        let mut shape = Shape::any();
        for (keyword, value) in schema {
            match keyword.as_str() {
                "type" => shape.kinds = kinds(value),
                "const" => shape.allowed = vec![value.clone()],
                "enum" => shape.allowed = list(value).to_vec(),
                "minimum" => shape.minimum = value.as_f64(),
                "maximum" => shape.maximum = value.as_f64(),
                "minLength" => shape.length.0 = size(value),
                "maxLength" => shape.length.1 = size(value),
                "pattern" => shape.pattern = Some(pattern(value)),
                "minItems" => shape.count.0 = size(value),
                "maxItems" => shape.count.1 = size(value),
                "prefixItems" => {
                    shape.first = list(value).iter().map(|item| self.inner(item)).collect();
                }
                "items" => shape.rest = Some(self.inner(value)),
                "properties" => {
                    for (name, member) in value.as_object().into_iter().flatten() {
                        let is_required = is_required(schema, name);
                        let shape_of_member = self.inner(member);
                        shape.required += usize::from(is_required);
                        shape.members.insert(name.clone(), Member { shape: shape_of_member, is_required });
                    }
                }
                "additionalProperties" => {
                    shape.others = match value {
                        Value::Bool(false) => Others::Refused,
                        Value::Bool(true) => Others::Any,
                        other => Others::Like(self.inner(other)),
                    };
                }
                "propertyNames" => shape.names = Some(pattern(&value["pattern"])),
                "oneOf" if list(value).iter().all(is_only_required) => {
                    let names = list(value).iter().flat_map(|branch| list(&branch["required"]));
                    shape.one_of = names.filter_map(Value::as_str).map(str::to_owned).collect();
                }
                "oneOf" | "anyOf" => {
                    let branches = list(value).iter().map(|branch| self.inner(branch)).collect();
                    self.distinguish(&mut shape, branches);
                }
                // Read with the members.
                "required" => {}
                // Only for readers.
                "title" | "description" | "deprecated" | "examples" | "format" | "x-unit" => {}
                other => panic!("the contract has the keyword {other}"),
            }
        }
        shape
    }
}

impl Reader<'_> {
    /// Finds the sign that tells branches apart.
    fn distinguish(&self, shape: &mut Shape, branches: Vec<ShapeId>) {
        let constant = |id: ShapeId| match self.shapes.get(id).allowed.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        };
        let constants = |find: &dyn Fn(&Shape) -> Option<ShapeId>| -> Option<Vec<(Value, ShapeId)>> {
            branches.iter().map(|id| Some((constant(find(self.shapes.get(*id))?)?, *id))).collect()
        };
        // A list of values with a text for each.
        if let Some(values) = branches.iter().map(|id| constant(*id)).collect::<Option<Vec<_>>>() {
            shape.allowed = values;
            return;
        }
        if let Some(tagged) = constants(&|branch| branch.first.first().copied()) {
            shape.branches = Branches::ByFirst(tagged);
            return;
        }
        let first = branches.first().map(|id| self.shapes.get(*id));
        // `command` is a constant, too, but the same in all branches.
        for name in first.into_iter().flat_map(|branch| branch.members.keys()) {
            let find = |branch: &Shape| branch.members.get(name).map(|member| member.shape);
            let Some(tagged) = constants(&find) else { continue };
            let is_unique = |(constant, _): &(Value, ShapeId)| {
                tagged.iter().filter(|(other, _)| other == constant).count() == 1
            };
            if tagged.iter().all(is_unique) {
                shape.branches = Branches::ByMember(name.clone(), tagged);
                return;
            }
        }
        let kinds = branches.iter().map(|id| self.shapes.get(*id).kinds.0);
        let all = kinds.clone().fold(0, |bits, kinds| bits | kinds);
        let count: u32 = kinds.map(u8::count_ones).sum();
        assert_eq!(all.count_ones(), count, "the contract has branches that cannot be told apart");
        shape.branches = Branches::ByKind(branches);
    }
}

impl Shape {
    fn any() -> Self {
        Self {
            kinds: Kinds::ANY,
            allowed: Vec::new(),
            minimum: None,
            maximum: None,
            length: (0, usize::MAX),
            pattern: None,
            count: (0, usize::MAX),
            first: Vec::new(),
            rest: None,
            members: BTreeMap::new(),
            required: 0,
            others: Others::Any,
            names: None,
            one_of: Vec::new(),
            branches: Branches::None,
        }
    }
}

fn kinds(value: &Value) -> Kinds {
    match value {
        Value::String(name) => Kinds::named(name),
        several => {
            let names = list(several).iter().filter_map(Value::as_str);
            Kinds(names.fold(0, |bits, name| bits | Kinds::named(name).0))
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("the contract has a list here")
}

fn size(value: &Value) -> usize {
    value.as_u64().and_then(|size| usize::try_from(size).ok()).expect("the contract has a size here")
}

fn pattern(value: &Value) -> Pattern {
    value.as_str().and_then(Pattern::of).unwrap_or_else(|| panic!("the contract has the pattern {value}"))
}

fn is_required(schema: &Map<String, Value>, name: &str) -> bool {
    schema.get("required").is_some_and(|names| list(names).iter().any(|other| other == name))
}

fn is_only_required(branch: &Value) -> bool {
    branch.as_object().is_some_and(|branch| branch.len() == 1 && branch.contains_key("required"))
}
