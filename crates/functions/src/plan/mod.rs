//! What a function is, as plain data: reader, steps, action. Checkable and printable; callbacks are numbers.

mod visible;

pub use visible::Visible;

/// A value that crosses the worker door: what Python's `marshal` can say, anything else as an opaque pickle.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    None,
    Bool(bool),
    Int(i64),
    /// An integer beyond 64 bits, in decimal.
    BigInt(String),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Argument>),
    Tuple(Vec<Argument>),
    Dict(Vec<(Argument, Argument)>),
    Set(Vec<Argument>),
    /// Pickled by a worker for a worker; the server never opens it.
    Pickle(Vec<u8>),
}

impl Argument {
    /// About what the value takes in memory.
    pub fn weight(&self) -> usize {
        let inside = match self {
            Argument::None | Argument::Bool(_) | Argument::Int(_) | Argument::Float(_) => 0,
            Argument::BigInt(text) | Argument::Text(text) => text.len(),
            Argument::Bytes(bytes) | Argument::Pickle(bytes) => bytes.len(),
            Argument::List(items) | Argument::Tuple(items) | Argument::Set(items) => {
                items.iter().map(Argument::weight).sum()
            }
            Argument::Dict(pairs) => {
                pairs.iter().map(|(key, value)| key.weight() + value.weight()).sum()
            }
        };
        size_of::<Argument>() + inside
    }
}

/// Reader, steps and the description of one function.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// "KeysReader", "StreamReader", …: as the script named it.
    pub reader: String,
    /// `defaultArg` of the builder or the argument of `run()`/`register()`.
    pub argument: Argument,
    pub description: Option<String>,
    pub steps: Vec<Step>,
    /// As the worker judges its callbacks.
    pub visible: Visible,
}

/// One step. Its callbacks live in the worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub kind: StepKind,
    /// As RG.GETEXECUTION shows it: `RedisGearsPy_PyCallbackMapper`, `collect`, …
    pub name: String,
    /// `str(callback)`, or empty.
    pub argument: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    Map,
    Filter,
    FlatMap,
    ForEach,
    Accumulate,
    GroupBy,
    BatchGroupBy,
    LocalGroupBy,
    Repartition,
    Collect,
    Limit {
        length: u64,
        offset: u64,
    },
    /// `count()`: native where no callback stands before it.
    Count,
    /// The conversion to text that `run()` and `register()` append.
    ToText,
}
