//! An engine between two doors that the test holds: data and workers that only remember and play back.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::engine::{Answer, Doors, Engine};
use crate::host::{
    ClientId, CommandFacts, EventInterest, Host, Level, Projection, Remains, Removal,
    RemovalInterest, Value,
};
use crate::identifier::RegistrationNumber;
use crate::inside::Inside;
use crate::plan::{Argument, Plan, Step, StepKind, Visible};
use crate::registrations::{Announced, During, HookedCall};
use crate::worker::{
    ExecutionId, ExitReason, Farewell, Forbidden, FromWorker, FunctionId, Installed, LineId, Needs,
    Prepared, Preparing, Profiling, RecordSink, SessionSpec, Source, Token, Usage, WorkerId,
    Workers,
};

/// Who sends the commands of a test, unless it says otherwise.
pub(crate) const CLIENT: ClientId = ClientId(7);

/// The session and worker that a test's first script gets.
pub(crate) const WORKER: WorkerId = WorkerId(0);

pub(crate) struct Stage {
    pub(crate) engine: Engine,
    pub(crate) host: Data,
    pub(crate) workers: Cast,
    /// Functions inside commands that functions called; such a call is answered at once, which no host does.
    pub(crate) begun_by_calls: Vec<u64>,
}

/// xorshift64: one seed replays a play.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Replies to a command by its text, if it knows one.
pub(crate) type Respond = Box<dyn FnMut(&str) -> Option<String>>;

/// String keys, scripted replies, and a clock that the test sets.
#[derive(Default)]
pub(crate) struct Data {
    pub(crate) keys: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) now_ms: i64,
    /// What each look at the monotonic clock adds to it.
    pub(crate) look_us: u64,
    pub(crate) monotonic_us: u64,
    /// Replies to commands by their text; others are answered with `+OK`.
    pub(crate) answers: BTreeMap<String, String>,
    /// Is asked before them.
    pub(crate) respond: Option<Respond>,
    pub(crate) calls: Vec<String>,
    pub(crate) replies: Vec<(u64, String)>,
    pub(crate) logs: Vec<String>,
    pub(crate) interest: EventInterest,
    pub(crate) removals: Vec<RemovalInterest>,
    pub(crate) tells_no_removals: bool,
    pub(crate) hooked: Vec<String>,
    pub(crate) caused: Vec<String>,
    pub(crate) cancelled: Vec<(WorkerId, Token)>,
    pub(crate) released: Vec<u64>,
    pub(crate) scans_with_values: usize,
    randoms: u8,
}

impl Host for Data {
    fn now_ms(&self) -> i64 {
        self.now_ms
    }

    fn monotonic_us(&self) -> u64 {
        self.monotonic_us
    }

    fn call(&mut self, args: &[&[u8]], reply: &mut Vec<u8>) {
        let words: Vec<_> = args.iter().map(|arg| String::from_utf8_lossy(arg)).collect();
        let text = words.join(" ");
        let response = self.respond.as_mut().and_then(|respond| respond(&text));
        let answer = response.as_ref().or_else(|| self.answers.get(&text));
        let answer = answer.map_or("+OK\r\n", String::as_str);
        reply.extend_from_slice(answer.as_bytes());
        self.calls.push(text);
    }

    fn scan(
        &mut self,
        cursor: u64,
        count: usize,
        pattern: Option<&[u8]>,
        projection: Projection,
        visit: &mut dyn FnMut(&[u8], Value<'_>),
    ) -> u64 {
        self.monotonic_us += self.look_us;
        self.scans_with_values += usize::from(projection == Projection::KeyAndValue);
        let prefix = pattern.map(|pattern| pattern.strip_suffix(b"*").unwrap_or(pattern));
        for (key, value) in self.keys.iter().skip(cursor as usize).take(count) {
            if prefix.is_none_or(|prefix| key.starts_with(prefix)) {
                visit(key, Value::String(value));
            }
        }
        let next = cursor as usize + count;
        if next < self.keys.len() { next as u64 } else { 0 }
    }

    fn read(&mut self, key: &[u8], _: Projection, visit: &mut dyn FnMut(Value<'_>)) {
        visit(self.keys.get(key).map_or(Value::Missing, |value| Value::String(value)));
    }

    fn reply(&mut self, client: ClientId, wire: &[u8]) {
        self.replies.push((client.0, readable(wire)));
    }

    fn log(&mut self, _: Level, message: &str) {
        self.logs.push(message.into());
    }

    fn random(&mut self, into: &mut [u8]) {
        self.randoms += 1;
        into.fill(self.randoms);
    }

    fn watch_events(&mut self, interest: EventInterest) {
        self.interest = interest;
    }

    fn watch_removals(&mut self, wanted: &[RemovalInterest]) {
        self.removals = wanted.to_vec();
    }

    fn look(&mut self, key: &[u8], visit: &mut dyn FnMut(Option<&dyn Remains>)) {
        let text = self.keys.get(key).map(|value| Text(value.clone()));
        visit(text.as_ref().map(|text| text as &dyn Remains));
    }

    fn event_names(&self) -> Vec<&'static str> {
        let mut names = vec!["del", "expired", "hset", "keymiss", "set"];
        if !self.tells_no_removals {
            names.extend(Removal::ALL.map(Removal::event));
        }
        names
    }

    fn command_facts(&mut self, name: &[u8]) -> Option<CommandFacts> {
        let (no_script, movable_keys, first_key, key_step) = match &*name.to_ascii_lowercase() {
            b"get" | b"hset" | b"set" => (false, false, 1, 1),
            b"mset" => (false, false, 1, 2),
            b"multi" => (true, false, 0, 0),
            b"xread" => (false, true, 0, 0),
            b"ping" => (false, false, 0, 0),
            _ => return None,
        };
        Some(CommandFacts { no_script, movable_keys, first_key, key_step })
    }

    fn watch_commands(&mut self, hooked: &[&str], caused: &[&str]) {
        self.hooked = hooked.iter().map(|name| (*name).into()).collect();
        self.caused = caused.iter().map(|name| (*name).into()).collect();
    }

    fn release(&mut self, client: ClientId) {
        self.released.push(client.0);
    }

    fn cancel_call(&mut self, worker: WorkerId, token: Token) {
        self.cancelled.push((worker, token));
    }
}

/// A string that a key held.
struct Text(Vec<u8>);

impl Remains for Text {
    fn type_name(&self) -> &'static str {
        "string"
    }

    fn show(&self, visit: &mut dyn FnMut(Value<'_>)) {
        visit(Value::String(&self.0));
    }

    fn is_lost(&self) -> bool {
        false
    }

    fn expires_at_ms(&self) -> Option<i64> {
        None
    }

    fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// Workers that do what the test says.
#[derive(Default)]
pub(crate) struct Cast {
    /// What was sent, one line each.
    pub(crate) sent: Vec<String>,
    started: u64,
    pub(crate) specs: Vec<SessionSpec>,
    pub(crate) needs: Vec<Needs>,
    /// Scripts wait until the test says that they are prepared.
    pub(crate) prepare_later: bool,
    /// Why nothing can be forbidden.
    pub(crate) cannot_forbid: Option<&'static str>,
    /// What every worker has used.
    pub(crate) cpu_us: u64,
}

impl Workers for Cast {
    fn prepare(&mut self, needs: &Needs) -> Preparing {
        self.needs.push(needs.clone());
        if self.prepare_later {
            return Preparing::Waiting(WorkerId(999 + self.needs.len() as u64));
        }
        Preparing::Ready(Prepared::default())
    }

    fn export(&mut self, installed: &Installed) -> WorkerId {
        self.sent.push(format!("export {} from {}", installed.requirement, installed.path));
        WorkerId(2000)
    }

    fn import(&mut self, parts: &[&[u8]]) -> WorkerId {
        self.sent.push(format!("import {}", String::from_utf8_lossy(&parts.concat())));
        WorkerId(3000)
    }

    fn start(&mut self, spec: &SessionSpec) -> WorkerId {
        let worker = WorkerId(self.started);
        self.started += 1;
        self.specs.push(spec.clone());
        self.sent.push(format!("start w{}", worker.0));
        worker
    }

    fn script(&mut self, worker: WorkerId, code: &[u8]) {
        self.sent.push(format!("script w{} {}", worker.0, String::from_utf8_lossy(code)));
    }

    fn load(&mut self, worker: WorkerId, functions: &[(FunctionId, &[u8])]) {
        let functions: Vec<String> = functions
            .iter()
            .map(|(function, pickle)| {
                format!("f{}={}", function.0, String::from_utf8_lossy(pickle))
            })
            .collect();
        self.sent.push(format!("load w{} {}", worker.0, functions.join(" ")));
    }

    fn open(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        function: FunctionId,
        first_step: usize,
        source: Source,
    ) {
        self.sent.push(format!(
            "open w{} e{} f{} from step {first_step} {source:?}",
            worker.0, execution.0, function.0
        ));
    }

    fn feed(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        last: bool,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    ) {
        let mut records = Records::default();
        fill(&mut records);
        let end = if last { " last" } else { "" };
        self.sent.push(format!("feed w{} e{} {records}{end}", worker.0, execution.0));
    }

    fn invoke(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        function: FunctionId,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    ) {
        let mut records = Records::default();
        fill(&mut records);
        self.sent.push(format!("invoke w{} e{} f{} {records}", worker.0, execution.0, function.0));
    }

    fn invoke_inside(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        function: FunctionId,
        may_suspend: bool,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    ) {
        let mut records = Records::default();
        fill(&mut records);
        let end = if may_suspend { "" } else { " may not suspend" };
        let (worker, execution) = (worker.0, execution.0);
        self.sent.push(format!("inside w{worker} e{execution} f{} {records}{end}", function.0));
    }

    fn invoke_in_line(
        &mut self,
        worker: WorkerId,
        line: LineId,
        execution: ExecutionId,
        function: FunctionId,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    ) {
        let mut records = Records::default();
        fill(&mut records);
        let (worker, execution, line) = (worker.0, execution.0, line.0);
        self.sent.push(format!(
            "invoke w{worker} e{execution} f{} {records} in line {line}",
            function.0
        ));
    }

    fn withdraw(&mut self, worker: WorkerId, line: LineId) {
        self.sent.push(format!("withdraw w{} line {}", worker.0, line.0));
    }

    fn hand_back(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        results: &[Argument],
        errors: &[String],
    ) {
        let (worker, execution) = (worker.0, execution.0);
        self.sent.push(format!("hand back w{worker} e{execution} {results:?} {errors:?}"));
    }

    fn abort(&mut self, worker: WorkerId, execution: ExecutionId) {
        self.sent.push(format!("abort w{} e{}", worker.0, execution.0));
    }

    fn abort_script(&mut self, worker: WorkerId) {
        self.sent.push(format!("abort script w{}", worker.0));
    }

    fn time_event(&mut self, worker: WorkerId, number: u32) {
        self.sent.push(format!("time event w{} {number}", worker.0));
    }

    fn answer_wire(&mut self, worker: WorkerId, token: Token, wire: &[u8]) {
        self.sent.push(format!("answer w{} t{} {}", worker.0, token.0, readable(wire)));
    }

    fn answer(&mut self, worker: WorkerId, token: Token, answer: Result<Argument, String>) {
        let answer = match answer {
            Ok(Argument::Text(text)) => text,
            Ok(other) => format!("{other:?}"),
            Err(error) => format!("raise {error}"),
        };
        self.sent.push(format!("answer w{} t{} {answer}", worker.0, token.0));
    }

    fn forget(&mut self, worker: WorkerId, function: FunctionId) {
        self.sent.push(format!("forget w{} f{}", worker.0, function.0));
    }

    fn profile(&mut self, worker: WorkerId, what: Profiling<'_>) {
        self.sent.push(format!("profile w{} {what:?}", worker.0));
    }

    fn kill(&mut self, worker: WorkerId) {
        self.sent.push(format!("kill w{}", worker.0));
    }

    fn usage(&self, _: WorkerId) -> Option<Usage> {
        Some(Usage { pid: 1, rss_bytes: 1000, cpu_us: self.cpu_us })
    }

    fn can_forbid(&self, _: Forbidden) -> Result<(), String> {
        self.cannot_forbid.map_or(Ok(()), |why| Err(why.into()))
    }

    fn private_bytes(&self, _: WorkerId) -> Option<u64> {
        Some(900)
    }
}

/// The records of a batch: the first few as text, all of them as a number.
#[derive(Default)]
struct Records {
    texts: Vec<String>,
    bytes: usize,
}

impl Records {
    fn put(&mut self, text: String) {
        self.bytes += text.len();
        self.texts.push(text);
    }
}

impl std::fmt::Display for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.texts.len() {
            0..=5 => write!(f, "[{}]", self.texts.join(", ")),
            many => write!(f, "[{many} records]"),
        }
    }
}

impl RecordSink for Records {
    fn show(&mut self, _: &Visible) {}

    fn key(&mut self, key: &[u8], value: Option<Value<'_>>, event: Option<&str>) {
        let mut text = String::from_utf8_lossy(key).into_owned();
        match value {
            Some(Value::String(value)) => {
                text.push('=');
                text.push_str(&String::from_utf8_lossy(value));
            }
            Some(Value::Missing) => text.push_str("=nothing"),
            Some(_) | None => {}
        }
        if let Some(event) = event {
            text.push_str(&format!("({event})"));
        }
        self.put(text);
    }

    fn removed(&mut self, key: &[u8], value: Option<Value<'_>>, farewell: Farewell) {
        self.key(key, value, Some(farewell.event));
        if farewell.truncated
            && let Some(text) = self.texts.last_mut()
        {
            text.push_str(" truncated");
        }
    }

    fn bare_key(&mut self, key: &[u8]) {
        self.put(String::from_utf8_lossy(key).into_owned());
    }

    fn stream(&mut self, key: &[u8], id: &str, fields: &mut dyn Iterator<Item = (&[u8], &[u8])>) {
        let fields = fields.count();
        self.put(format!("{}@{id}:{fields}", String::from_utf8_lossy(key)));
    }

    fn command(&mut self, args: &mut dyn Iterator<Item = &[u8]>) {
        let words: Vec<_> = args.map(String::from_utf8_lossy).collect();
        self.put(words.join(" "));
    }

    fn value(&mut self, value: &Argument) {
        self.put(format!("{value:?}"));
    }

    fn len(&self) -> usize {
        self.texts.len()
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Wire bytes with `|` for line ends.
fn readable(wire: &[u8]) -> String {
    String::from_utf8_lossy(wire).replace("\r\n", "|")
}

impl Stage {
    pub(crate) fn new() -> Self {
        Stage {
            engine: Engine::new(Config::default()),
            host: Data::default(),
            workers: Cast::default(),
            begun_by_calls: Vec::new(),
        }
    }

    pub(crate) fn with_keys(count: usize) -> Self {
        let mut stage = Stage::new();
        for number in 0..count {
            stage.host.keys.insert(format!("key:{number:06}").into_bytes(), b"value".to_vec());
        }
        stage
    }

    pub(crate) fn act<R>(&mut self, act: impl FnOnce(&mut Engine, &mut Doors) -> R) -> R {
        act(&mut self.engine, &mut Doors { host: &mut self.host, workers: &mut self.workers })
    }

    /// The reply of a command whose words are parted by blanks; `…` if it comes later.
    pub(crate) fn command(&mut self, line: &str) -> String {
        self.command_of(CLIENT, line, true)
    }

    pub(crate) fn command_of(&mut self, client: ClientId, line: &str, can_block: bool) -> String {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let mut reply = Vec::new();
        let answer =
            self.act(|engine, doors| engine.command(doors, client, &args, can_block, &mut reply));
        self.answered(answer, &reply)
    }

    /// The reply; `…` if it comes later, and which execution was begun if one runs inside.
    fn answered(&mut self, answer: Answer, reply: &[u8]) -> String {
        match answer {
            Answer::Ready => readable(reply),
            Answer::Later => {
                assert!(reply.is_empty());
                "…".into()
            }
            Answer::Inside(id) => {
                self.act(|engine, doors| engine.begin_inside(doors, id));
                format!("inside e{}", id.0)
            }
        }
    }

    /// A call of a command that has hooks, its arguments all being keys; `None` if the command itself is to run.
    pub(crate) fn hook(
        &mut self,
        command: &str,
        line: &str,
        below: Option<RegistrationNumber>,
        can_block: bool,
    ) -> Option<String> {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let (client, keys, args) = (CLIENT, &args[1..], &args[..]);
        let call = HookedCall { client, command, args, keys, below, can_block };
        let mut reply = Vec::new();
        let answer = self.act(|engine, doors| engine.hook(doors, call, &mut reply))?;
        Some(self.answered(answer, &reply))
    }

    /// What has become of a function inside a command: its reply, `…` if it was suspended, or nothing yet.
    pub(crate) fn inside(&mut self, execution: u64) -> Option<String> {
        match self.engine.look_inside(ExecutionId(execution)) {
            Inside::Runs => None,
            Inside::Suspended => Some("…".into()),
            Inside::Over(wire) => Some(readable(&wire)),
        }
    }

    /// A message of a worker; then the host runs what may be called now.
    pub(crate) fn from(&mut self, worker: WorkerId, message: FromWorker) {
        self.tell(worker, message);
        self.run_calls();
    }

    pub(crate) fn tell(&mut self, worker: WorkerId, message: FromWorker) {
        self.act(|engine, doors| engine.from_worker(doors, worker, message));
    }

    pub(crate) fn run_calls(&mut self) {
        while let Some(call) = self.act(|engine, doors| engine.next_call(doors)) {
            let args: Vec<&[u8]> = call.args.iter().map(Vec::as_slice).collect();
            let mut wire = Vec::new();
            if args[0].to_ascii_lowercase().starts_with(b"rg.") {
                let answer = self
                    .act(|engine, doors| engine.command(doors, CLIENT, &args, false, &mut wire));
                assert_ne!(answer, Answer::Later, "a command that cannot block does not");
                if let Answer::Inside(id) = answer {
                    self.begin(id.0);
                    self.begun_by_calls.push(id.0);
                }
            } else {
                self.host.call(&args, &mut wire);
            }
            self.act(|engine, doors| engine.answer_call(doors, call.name(), &wire));
        }
    }

    pub(crate) fn work(&mut self) {
        self.act(|engine, doors| engine.work(doors, 1_000_000));
    }

    pub(crate) fn event(&mut self, event: &str, key: &str) {
        let during = During { cause: None, may_suspend: true };
        self.act(|engine, doors| {
            let inside = engine.key_event(doors, event, key.as_bytes(), during);
            assert!(inside.is_empty(), "it is to run inside the command: see `event_inside`");
        });
    }

    /// An event of a command that runs functions inside it: which ones.
    pub(crate) fn event_inside(&mut self, event: &str, key: &str) -> Vec<u64> {
        let during = During { cause: None, may_suspend: true };
        let inside =
            self.act(|engine, doors| engine.key_event(doors, event, key.as_bytes(), during));
        inside.into_iter().map(|id| id.0).collect()
    }

    /// A key that is gone.
    pub(crate) fn removed(&mut self, removal: Removal, key: &str, value: &str) {
        let remains = Box::new(Text(value.into()));
        let during = During { cause: None, may_suspend: true };
        let (key, nobody) = (key.as_bytes(), Announced::ToNobody);
        let inside = self
            .act(|engine, doors| engine.key_removed(doors, removal, key, remains, nobody, during));
        assert!(inside.is_empty(), "it is to run inside the command: see `removed_inside`");
    }

    /// A key that a command has deleted: which functions run inside it.
    pub(crate) fn removed_inside(
        &mut self,
        key: &str,
        value: &str,
        announced: Announced,
    ) -> Vec<u64> {
        let remains = Box::new(Text(value.into()));
        let during = During { cause: None, may_suspend: true };
        let (deleted, key) = (Removal::Deleted, key.as_bytes());
        let inside = self.act(|engine, doors| {
            engine.key_removed(doors, deleted, key, remains, announced, during)
        });
        inside.into_iter().map(|id| id.0).collect()
    }

    /// A key that a command is about to delete: which functions run before.
    pub(crate) fn goes(&mut self, key: &str) -> Vec<u64> {
        let during = During { cause: None, may_suspend: true };
        let inside = self.act(|engine, doors| engine.key_goes(doors, key.as_bytes(), during));
        inside.into_iter().map(|id| id.0).collect()
    }

    pub(crate) fn begin(&mut self, execution: u64) {
        self.act(|engine, doors| engine.begin_inside(doors, ExecutionId(execution)));
    }

    pub(crate) fn at(&mut self, now_ms: i64) {
        self.host.now_ms = now_ms;
        self.host.monotonic_us = now_ms as u64 * 1000;
        self.act(|engine, doors| engine.tick(doors));
    }

    /// What was sent to workers since the last look.
    pub(crate) fn sent(&mut self) -> Vec<String> {
        std::mem::take(&mut self.workers.sent)
    }

    /// The replies that came late since the last look.
    pub(crate) fn replies(&mut self) -> Vec<String> {
        std::mem::take(&mut self.host.replies).into_iter().map(|(_, reply)| reply).collect()
    }

    pub(crate) fn reply(&mut self) -> String {
        let replies = self.replies();
        assert_eq!(replies.len(), 1, "{replies:?}");
        replies.into_iter().next().unwrap()
    }

    pub(crate) fn run(&mut self, worker: WorkerId, function: u32, plan: Plan) {
        let function = FunctionId(function);
        let token = Token(u64::from(function.0));
        self.from(worker, FromWorker::Run { token, function, plan, kwargs: vec![] });
    }

    pub(crate) fn register(
        &mut self,
        worker: WorkerId,
        function: u32,
        plan: Plan,
        kwargs: &[(&str, Argument)],
    ) {
        let kwargs = kwargs.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        let pickle = format!("pickle{function}").into_bytes();
        let function = FunctionId(function);
        let token = Token(u64::from(function.0));
        self.from(worker, FromWorker::Register { token, function, plan, kwargs, pickle });
    }

    pub(crate) fn script_done(&mut self, worker: WorkerId) {
        self.from(worker, FromWorker::ScriptDone { error: None });
    }

    /// A script that runs one function over a reader; its client waits, and the engine has read what it can.
    pub(crate) fn running(plan: Plan, options: &str) -> Self {
        let mut stage = Stage::with_keys(3);
        assert_eq!(stage.command(&format!("RG.PYEXECUTE code{options}")), "…");
        stage.run(WORKER, 0, plan);
        stage.script_done(WORKER);
        stage.work();
        stage.sent();
        stage
    }

    /// A script that registered one function and ended.
    pub(crate) fn registered(plan: Plan, kwargs: &[(&str, Argument)]) -> Self {
        let mut stage = Stage::new();
        assert_eq!(stage.command("RG.PYEXECUTE code"), "…");
        stage.register(WORKER, 0, plan, kwargs);
        stage.script_done(WORKER);
        assert_eq!(stage.reply(), "+OK|");
        stage.sent();
        stage
    }

    /// A function that RG.TRIGGER t calls.
    pub(crate) fn with_trigger() -> Self {
        Stage::registered(plan("CommandReader", &[StepKind::Map]), &[("trigger", text("t"))])
    }

    pub(crate) fn done(&mut self, worker: WorkerId, execution: u64, records: Vec<Argument>) {
        self.progress(worker, execution, records, vec![], true);
    }

    pub(crate) fn failed(&mut self, worker: WorkerId, execution: u64, error: &str) {
        self.progress(worker, execution, vec![], vec![error.into()], true);
    }

    pub(crate) fn progress(
        &mut self,
        worker: WorkerId,
        execution: u64,
        records: Vec<Argument>,
        errors: Vec<String>,
        done: bool,
    ) {
        let execution = ExecutionId(execution);
        let satisfied = !errors.is_empty();
        let (consumed, busy_us) = (1, 1);
        self.from(
            worker,
            FromWorker::Progress { execution, records, errors, satisfied, done, consumed, busy_us },
        );
    }

    pub(crate) fn crash(&mut self, worker: WorkerId) {
        self.from(worker, FromWorker::Exited { reason: ExitReason::Signal(11) });
    }

    pub(crate) fn loaded(&mut self, worker: WorkerId) {
        self.from(worker, FromWorker::Loaded { error: None });
    }

    /// triggered, succeeded, failed, aborted and the last error of the only registration.
    pub(crate) fn statistics(&self) -> (u64, u64, u64, u64, Option<String>) {
        let registrations: Vec<_> = self.engine.registrations.listed().collect();
        assert_eq!(registrations.len(), 1);
        let statistics = &registrations[0].1.statistics;
        (
            statistics.triggered,
            statistics.succeeded,
            statistics.failed,
            statistics.aborted,
            statistics.last_error.clone(),
        )
    }
}

pub(crate) fn plan(reader: &str, kinds: &[StepKind]) -> Plan {
    let step = |kind: &StepKind| Step {
        kind: *kind,
        name: format!("{kind:?}").to_lowercase(),
        argument: String::new(),
    };
    Plan {
        reader: reader.into(),
        argument: Argument::Text("*".into()),
        description: None,
        steps: kinds.iter().map(step).collect(),
        visible: Visible::ALL,
    }
}

pub(crate) fn text(value: &str) -> Argument {
    Argument::Text(value.into())
}

pub(crate) fn texts(values: &[&str]) -> Argument {
    Argument::List(values.iter().map(|value| text(value)).collect())
}

/// The public name of a number.
pub(crate) fn id(number: u64) -> String {
    format!("{}-{number}", "0".repeat(40))
}
