//! The module API of Redis and Valkey, bound by hand. The only `unsafe` of this crate.
//!
//! A server hands over a context whose first word is a function that finds all others by name. Each is looked up when we
//! are loaded, under the names that Redis and Valkey share. Declared here is no more than what is used.
//!
//! The safety of this file rests on four facts of the server:
//!
//! - It calls a module on its main thread, or while it holds its global lock; a [`Context`] cannot leave its thread.
//! - What it lends to a callback (context, arguments, key) lives until the callback returns; hence the lifetimes.
//! - A module is never unloaded against its will, and ours refuses until the server has left its loop for good: function
//!   pointers that it was given stay valid.
//! - It copies every text that it is given before its function returns, but for names of commands, which are `'static`.
//!
//! Every entry point catches panics: one that crossed into the server would end it.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_longlong, c_void};
use std::marker::PhantomData;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use crate::entry;

macro_rules! opaque {
    ($($name:ident)*) => {$(
        #[repr(C)]
        pub(crate) struct $name {
            _private: [u8; 0],
        }
    )*};
}

opaque! { RawContext RawString RawKey RawReply RawBlocked RawInfo }

#[repr(C)]
#[derive(Clone, Copy)]
struct RawEvent {
    id: u64,
    data_version: u64,
}

type GetApi = unsafe extern "C" fn(*const c_char, *mut c_void) -> c_int;
type OnCommand = extern "C" fn(*mut RawContext, *const *mut RawString, c_int) -> c_int;
type OnFree = extern "C" fn(*mut RawContext, *mut c_void);
type OnDisconnect = extern "C" fn(*mut RawContext, *mut RawBlocked);
type OnKeyEvent = extern "C" fn(*mut RawContext, c_int, *const c_char, *const RawString) -> c_int;
type OnServerEvent = extern "C" fn(*mut RawContext, RawEvent, u64, *mut c_void);
type OnDescriptor = extern "C" fn(c_int, *mut c_void, c_int);
type OnJob = extern "C" fn(*mut RawContext, *mut c_void);
type OnOneShot = extern "C" fn(*mut c_void);
type OnTimer = extern "C" fn(*mut RawContext, *mut c_void);
type OnInfo = extern "C" fn(*mut RawInfo, c_int);

macro_rules! table {
    ($($name:ident: fn($($parameter:ty),* $(; $variadic:tt)?) $(-> $result:ty)?;)*) => {
        /// The functions of the server, each as it was found.
        #[allow(non_snake_case)]
        struct Table {
            $($name: Option<unsafe extern "C" fn($($parameter,)* $($variadic)?) $(-> $result)?>,)*
        }

        impl Table {
            /// # Safety
            ///
            /// `get` is the function that a server keeps in the first word of its contexts.
            unsafe fn load(get: GetApi) -> Table {
                Table {
                    $($name: {
                        let mut found = None;
                        let name = concat!("RedisModule_", stringify!($name), "\0");
                        // SAFETY: the name ends with a zero. The server stores one function pointer behind the second
                        // argument or leaves it alone; `Option` of a function pointer has exactly its layout, null being
                        // `None`. The type is the one that the server documents for this name.
                        unsafe { get(name.as_ptr().cast(), (&raw mut found).cast()) };
                        found
                    },)*
                }
            }

            fn missing(&self) -> Vec<&'static str> {
                let found = [$((stringify!($name), self.$name.is_some())),*];
                let missing = found.into_iter().filter(|(_, is_there)| !is_there).map(|(name, _)| name);
                missing.filter(|name| !OPTIONAL.contains(name)).collect()
            }
        }
    };
}

table! {
    IsModuleNameBusy: fn(*const c_char) -> c_int;
    SetModuleAttribs: fn(*mut RawContext, *const c_char, c_int, c_int);
    CreateCommand: fn(*mut RawContext, *const c_char, OnCommand, *const c_char, c_int, c_int, c_int) -> c_int;
    GetDetachedThreadSafeContext: fn(*mut RawContext) -> *mut RawContext;
    GetContextFlags: fn(*mut RawContext) -> c_int;
    GetSelectedDb: fn(*mut RawContext) -> c_int;
    Log: fn(*mut RawContext, *const c_char, *const c_char; ...);
    GetRandomBytes: fn(*mut u8, usize);
    CreateString: fn(*mut RawContext, *const c_char, usize) -> *mut RawString;
    FreeString: fn(*mut RawContext, *mut RawString);
    StringPtrLen: fn(*const RawString, *mut usize) -> *const c_char;
    OpenKey: fn(*mut RawContext, *mut RawString, c_int) -> *mut RawKey;
    KeyType: fn(*mut RawKey) -> c_int;
    CloseKey: fn(*mut RawKey);
    Call: fn(*mut RawContext, *const c_char, *const c_char; ...) -> *mut RawReply;
    CallReplyProto: fn(*mut RawReply, *mut usize) -> *const c_char;
    FreeCallReply: fn(*mut RawReply);
    ReplyWithArray: fn(*mut RawContext, c_long) -> c_int;
    ReplyWithLongLong: fn(*mut RawContext, c_longlong) -> c_int;
    ReplyWithNull: fn(*mut RawContext) -> c_int;
    ReplyWithStringBuffer: fn(*mut RawContext, *const c_char, usize) -> c_int;
    ReplyWithSimpleString: fn(*mut RawContext, *const c_char) -> c_int;
    ReplyWithError: fn(*mut RawContext, *const c_char) -> c_int;
    BlockClient: fn(*mut RawContext, OnCommand, Option<OnCommand>, OnFree, c_longlong) -> *mut RawBlocked;
    SetDisconnectCallback: fn(*mut RawBlocked, OnDisconnect);
    UnblockClient: fn(*mut RawBlocked, *mut c_void) -> c_int;
    GetBlockedClientPrivateData: fn(*mut RawContext) -> *mut c_void;
    SubscribeToKeyspaceEvents: fn(*mut RawContext, c_int, OnKeyEvent) -> c_int;
    SubscribeToServerEvent: fn(*mut RawContext, RawEvent, OnServerEvent) -> c_int;
    EventLoopAdd: fn(c_int, c_int, OnDescriptor, *mut c_void) -> c_int;
    EventLoopDel: fn(c_int, c_int) -> c_int;
    EventLoopAddOneShot: fn(OnOneShot, *mut c_void) -> c_int;
    CreateTimer: fn(*mut RawContext, c_longlong, OnTimer, *mut c_void) -> u64;
    StopTimer: fn(*mut RawContext, u64, *mut *mut c_void) -> c_int;
    RegisterInfoFunc: fn(*mut RawContext, OnInfo) -> c_int;
    InfoAddSection: fn(*mut RawInfo, *const c_char) -> c_int;
    InfoAddFieldCString: fn(*mut RawInfo, *const c_char, *const c_char) -> c_int;
    AddPostNotificationJob: fn(*mut RawContext, OnJob, *mut c_void, Option<OnOneShot>) -> c_int;
}

/// What servers before 7.2 lack.
const OPTIONAL: [&str; 1] = ["AddPostNotificationJob"];

static TABLE: OnceLock<Table> = OnceLock::new();

/// Calls a function of the server.
macro_rules! server {
    ($name:ident($($argument:expr),* $(,)?)) => {
        (TABLE.get().and_then(|table| table.$name).expect("nothing runs before all functions were found"))(
            $($argument),*
        )
    };
}

const OK: c_int = 0;
const ERR: c_int = 1;

const API_VERSION: c_int = 1;

const FLAG_LUA: c_int = 1 << 0;
const FLAG_MULTI: c_int = 1 << 1;
const FLAG_REPLICA: c_int = 1 << 3;
const FLAG_READONLY: c_int = 1 << 4;
const FLAG_CLUSTER: c_int = 1 << 5;
const FLAG_LOADING: c_int = 1 << 13;
const FLAG_DENY_BLOCKING: c_int = 1 << 21;

const OPEN_READ: c_int = 1;
/// Neither the access time nor anybody who listens for misses nor the statistics shall notice. Servers before 7.2 know only
/// the first.
const OPEN_UNNOTICED: c_int = 1 << 16 | 1 << 17 | 1 << 18;

const READABLE: c_int = 1;
const WRITABLE: c_int = 2;

const EVENT_LOOP: RawEvent = RawEvent { id: 15, data_version: 1 };
const BEFORE_SLEEP: u64 = 0;
const SHUTDOWN: RawEvent = RawEvent { id: 5, data_version: 1 };

/// Classes of keyspace events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventClasses(c_int);

impl EventClasses {
    pub(crate) const NONE: EventClasses = EventClasses(0);
    pub(crate) const STREAM: EventClasses = EventClasses(1 << 10);
    pub(crate) const MISS: EventClasses = EventClasses(1 << 11);
    /// Generic to stream, and those of modules; not misses.
    pub(crate) const ALL: EventClasses = EventClasses(0b111_1111_1100 | 1 << 13);

    pub(crate) fn and(self, other: EventClasses) -> EventClasses {
        EventClasses(self.0 | other.0)
    }

    pub(crate) fn without(self, other: EventClasses) -> EventClasses {
        EventClasses(self.0 & !other.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    Missing,
    String,
    List,
    Hash,
    Set,
    SortedSet,
    Stream,
    /// A module's, or one that is newer than this file.
    Other,
}

/// What the server says about itself and the present call.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings(c_int);

impl Surroundings {
    fn has(self, flags: c_int) -> bool {
        self.0 & flags != 0
    }

    pub(crate) fn may_block(self) -> bool {
        !self.has(FLAG_LUA | FLAG_MULTI | FLAG_DENY_BLOCKING)
    }

    pub(crate) fn is_replica(self) -> bool {
        self.has(FLAG_REPLICA)
    }

    pub(crate) fn is_readonly(self) -> bool {
        self.has(FLAG_READONLY)
    }

    pub(crate) fn is_loading(self) -> bool {
        self.has(FLAG_LOADING)
    }

    pub(crate) fn is_cluster(self) -> bool {
        self.has(FLAG_CLUSTER)
    }
}

/// A context of the server, lent for one callback or, detached, for good.
pub(crate) struct Context<'a> {
    raw: *mut RawContext,
    lent: PhantomData<&'a RawContext>,
}

/// A client that waits for its reply. Whoever has it must unblock it; then it is gone.
pub(crate) struct BlockedClient(NonNull<RawBlocked>);

/// A timer that has not been stopped; it may have fired.
#[derive(Clone, Copy)]
pub(crate) struct Timer(u64);

/// The server could not do it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused;

fn checked(status: c_int) -> Result<(), Refused> {
    if status == OK { Ok(()) } else { Err(Refused) }
}

impl Context<'_> {
    /// A context of no client, in database 0, that stays valid.
    pub(crate) fn detached(&self) -> Context<'static> {
        // SAFETY: `self.raw` is valid. A detached context belongs to whoever asked for it until he frees it; nobody does.
        let raw = unsafe { server!(GetDetachedThreadSafeContext(self.raw)) };
        Context { raw, lent: PhantomData }
    }

    pub(crate) fn name_is_free(name: &CStr) -> bool {
        // SAFETY: a text that ends with a zero.
        unsafe { server!(IsModuleNameBusy(name.as_ptr())) == 0 }
    }

    pub(crate) fn introduce(&self, name: &CStr, version: c_int) {
        // SAFETY: called while the server loads us, as it must be; the name is copied.
        unsafe { server!(SetModuleAttribs(self.raw, name.as_ptr(), version, API_VERSION)) }
    }

    /// A command that arrives in `entry::command`; keys as COMMAND tells them.
    pub(crate) fn create_command(
        &self,
        name: &'static CStr,
        flags: &CStr,
        keys: (c_int, c_int, c_int),
    ) -> Result<(), Refused> {
        let (first, last, step) = keys;
        // SAFETY: `self.raw` is valid, both texts end with a zero, and `on_command` has the type that is called for.
        checked(unsafe {
            server!(CreateCommand(
                self.raw,
                name.as_ptr(),
                on_command,
                flags.as_ptr(),
                first,
                last,
                step
            ))
        })
    }

    pub(crate) fn surroundings(&self) -> Surroundings {
        // SAFETY: `self.raw` is valid.
        Surroundings(unsafe { server!(GetContextFlags(self.raw)) })
    }

    pub(crate) fn database(&self) -> c_int {
        // SAFETY: `self.raw` is valid.
        unsafe { server!(GetSelectedDb(self.raw)) }
    }

    pub(crate) fn log(&self, level: &CStr, message: &str) {
        let message = c_text(message.as_bytes());
        // SAFETY: the format asks for one text, and one that ends with a zero is given.
        unsafe { server!(Log(self.raw, level.as_ptr(), c"%s".as_ptr(), message.as_ptr())) }
    }

    pub(crate) fn random(&self, into: &mut [u8]) {
        // SAFETY: the server writes as many bytes as `into` has.
        unsafe { server!(GetRandomBytes(into.as_mut_ptr(), into.len())) }
    }

    /// The type of a key, asked for as quietly as the server can.
    pub(crate) fn key_type(&self, key: &[u8]) -> KeyType {
        let name = Text::new(key);
        // SAFETY: context and name are valid. A key that is not there is a null pointer, which the other two functions
        // accept; one that is there is closed before anything else happens.
        let number = unsafe {
            let opened = server!(OpenKey(self.raw, name.0, OPEN_READ | OPEN_UNNOTICED));
            let number = server!(KeyType(opened));
            server!(CloseKey(opened));
            number
        };
        match number {
            0 => KeyType::Missing,
            1 => KeyType::String,
            2 => KeyType::List,
            3 => KeyType::Hash,
            4 => KeyType::Set,
            5 => KeyType::SortedSet,
            7 => KeyType::Stream,
            _ => KeyType::Other,
        }
    }

    /// Runs a command and appends its reply as RESP2. What it writes reaches replicas and the log.
    pub(crate) fn call(&self, args: &[&[u8]], reply: &mut Vec<u8>) {
        let (name, args) =
            args.split_first().map_or((&b""[..], args), |(name, args)| (*name, args));
        let Ok(name) = CString::new(name) else {
            reply.extend_from_slice(b"-ERR unknown command\r\n");
            return;
        };
        let args: Vec<Text> = args.iter().map(|arg| Text::new(arg)).collect();
        // ! replicate, E errors are replies, M refuse what needs memory when there is none, W refuse writes, v a list.
        let format = if self.surroundings().is_readonly() { c"!EMWv" } else { c"!EMv" };
        // SAFETY: `Text` is a transparent pointer, so `args` is the array of strings that `v` asks for, followed by its
        // length. The reply is ours until it is freed, and so are its bytes, which are copied before.
        unsafe {
            let answer = server!(Call(
                self.raw,
                name.as_ptr(),
                format.as_ptr(),
                args.as_ptr().cast::<*mut RawString>(),
                args.len()
            ));
            if answer.is_null() {
                reply.extend_from_slice(
                    b"-ERR the server does not run this command for a module\r\n",
                );
                return;
            }
            let mut length = 0;
            let bytes = server!(CallReplyProto(answer, &raw mut length));
            reply.extend_from_slice(bytes_at(bytes, length));
            server!(FreeCallReply(answer));
        }
    }

    pub(crate) fn reply_array(&self, length: usize) {
        let length = c_long::try_from(length).expect("no reply has so many elements");
        // SAFETY: `self.raw` is valid; this and the next five only append to the client's output.
        unsafe { server!(ReplyWithArray(self.raw, length)) };
    }

    pub(crate) fn reply_integer(&self, number: i64) {
        // SAFETY: as `reply_array`.
        unsafe { server!(ReplyWithLongLong(self.raw, number)) };
    }

    pub(crate) fn reply_null(&self) {
        // SAFETY: as `reply_array`.
        unsafe { server!(ReplyWithNull(self.raw)) };
    }

    pub(crate) fn reply_bulk(&self, bytes: &[u8]) {
        // SAFETY: as `reply_array`; the bytes are copied.
        unsafe { server!(ReplyWithStringBuffer(self.raw, bytes.as_ptr().cast(), bytes.len())) };
    }

    pub(crate) fn reply_simple(&self, text: &[u8]) {
        let text = c_text(text);
        // SAFETY: as `reply_array`; the text ends with a zero and is copied.
        unsafe { server!(ReplyWithSimpleString(self.raw, text.as_ptr())) };
    }

    pub(crate) fn reply_error(&self, text: &[u8]) {
        let text = c_text(text);
        // SAFETY: as `reply_simple`.
        unsafe { server!(ReplyWithError(self.raw, text.as_ptr())) };
    }

    /// Lets the client of this command wait, without a time limit. Not where `may_block` says no.
    pub(crate) fn block(&self) -> BlockedClient {
        // SAFETY: `self.raw` is valid and the callbacks have the types that are called for. For a client that may not wait
        // the server makes a handle of no client; it never answers null, but aborts when it has no memory.
        let blocked = unsafe { server!(BlockClient(self.raw, on_reply, None, on_free, 0)) };
        let blocked = NonNull::new(blocked).expect("the server has memory or ends");
        // SAFETY: it was just made.
        unsafe { server!(SetDisconnectCallback(blocked.as_ptr(), on_disconnect)) };
        BlockedClient(blocked)
    }

    pub(crate) fn subscribe_to_key_events(&self, classes: EventClasses) -> Result<(), Refused> {
        // SAFETY: `self.raw` is valid and the callback has the type that is called for.
        checked(unsafe { server!(SubscribeToKeyspaceEvents(self.raw, classes.0, on_key_event)) })
    }

    /// While a keyspace event is handed in: `entry::notified` is called when the command is over, before anything else
    /// runs.
    pub(crate) fn when_command_is_over(&self) -> Result<(), Refused> {
        let add = TABLE.get().and_then(|table| table.AddPostNotificationJob).ok_or(Refused)?;
        // SAFETY: `self.raw` is valid and the callback has the type that is called for; there is no data to free.
        checked(unsafe { add(self.raw, on_job, ptr::null_mut(), None) })
    }

    /// From now on every turn of the server's loop ends in `entry::before_sleep`, and the last one in `entry::shutdown`.
    pub(crate) fn subscribe_to_loop(&self) -> Result<(), Refused> {
        [EVENT_LOOP, SHUTDOWN].into_iter().try_for_each(|event| {
            // SAFETY: as `subscribe_to_key_events`.
            checked(unsafe { server!(SubscribeToServerEvent(self.raw, event, on_server_event)) })
        })
    }

    pub(crate) fn start_timer(&self, after_ms: i64) -> Timer {
        // SAFETY: as `subscribe_to_key_events`; there is no data.
        Timer(unsafe { server!(CreateTimer(self.raw, after_ms, on_timer, ptr::null_mut())) })
    }

    pub(crate) fn stop_timer(&self, timer: Timer) {
        // SAFETY: the server knows its timers by number and finds none if it has fired; there is no data to hand back.
        unsafe { server!(StopTimer(self.raw, timer.0, ptr::null_mut())) };
    }

    pub(crate) fn register_info(&self) -> Result<(), Refused> {
        // SAFETY: as `subscribe_to_key_events`.
        checked(unsafe { server!(RegisterInfoFunc(self.raw, on_info)) })
    }
}

impl BlockedClient {
    /// The same for the same client.
    pub(crate) fn identity(&self) -> usize {
        self.0.as_ptr().addr()
    }

    /// The server asks `entry::answer` for the reply with this number, if the client is still there, and in any case
    /// tells `entry::answered` afterwards.
    pub(crate) fn unblock(self, call: u64) {
        // SAFETY: a client is unblocked once, for this takes it; the number travels where a pointer would, and nobody
        // follows it.
        unsafe { server!(UnblockClient(self.0.as_ptr(), number_as_pointer(call))) };
    }
}

/// What a descriptor is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Read,
    Write,
}

impl Readiness {
    fn mask(self) -> c_int {
        match self {
            Readiness::Read => READABLE,
            Readiness::Write => WRITABLE,
        }
    }
}

/// From now on `entry::ready` hears of the descriptor. It must stay open until `unwatch`.
pub(crate) fn watch(fd: RawFd, token: u64, readiness: Readiness) -> Result<(), Refused> {
    // SAFETY: the callback has the type that is called for, and the number travels where a pointer would.
    checked(unsafe {
        server!(EventLoopAdd(fd, readiness.mask(), on_descriptor, number_as_pointer(token)))
    })
}

/// Fails if the descriptor was not watched for this.
pub(crate) fn unwatch(fd: RawFd, readiness: Readiness) -> Result<(), Refused> {
    // SAFETY: the server knows what it watches by the descriptor's number.
    checked(unsafe { server!(EventLoopDel(fd, readiness.mask())) })
}

/// The loop shall have another turn without sleeping; `entry::woken` tells that it has begun.
pub(crate) fn wake_loop() -> Result<(), Refused> {
    // SAFETY: the callback has the type that is called for; there is no data.
    checked(unsafe { server!(EventLoopAddOneShot(on_one_shot, ptr::null_mut())) })
}

/// INFO, while the server asks us for our part.
pub(crate) struct InfoPage<'a> {
    raw: *mut RawInfo,
    lent: PhantomData<&'a RawInfo>,
}

impl InfoPage<'_> {
    /// Opens our section; `false` if nobody wants to see it.
    pub(crate) fn open(&self) -> bool {
        // SAFETY: `self.raw` is valid; no name means the module's.
        unsafe { server!(InfoAddSection(self.raw, ptr::null())) == OK }
    }

    /// The server puts the module's name before the field's.
    pub(crate) fn field(&self, name: &str, value: &str) {
        let (name, value) = (c_text(name.as_bytes()), c_text(value.as_bytes()));
        // SAFETY: `self.raw` is valid, and both texts end with a zero.
        unsafe { server!(InfoAddFieldCString(self.raw, name.as_ptr(), value.as_ptr())) };
    }
}

/// A string of the server that we made.
#[repr(transparent)]
struct Text(*mut RawString);

impl Text {
    fn new(bytes: &[u8]) -> Text {
        // SAFETY: the bytes are copied. Without a context, nobody but us frees it.
        Text(unsafe { server!(CreateString(ptr::null_mut(), bytes.as_ptr().cast(), bytes.len())) })
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        // SAFETY: it was made by `new` and is freed here only. The server counts references: it may keep its own.
        unsafe { server!(FreeString(ptr::null_mut(), self.0)) }
    }
}

/// Zeros would end the text early, and line ends a reply.
fn c_text(bytes: &[u8]) -> CString {
    let byte = |byte: &u8| if matches!(byte, 0 | b'\r' | b'\n') { b' ' } else { *byte };
    CString::new(bytes.iter().map(byte).collect::<Vec<u8>>()).expect("no zero is left")
}

fn number_as_pointer(number: u64) -> *mut c_void {
    ptr::without_provenance_mut(usize::try_from(number).expect("64-bit machines only"))
}

fn pointer_as_number(pointer: *mut c_void) -> u64 {
    pointer.addr() as u64
}

/// # Safety
///
/// `bytes` points to `length` bytes that live and do not change for `'a`, or `length` is 0.
unsafe fn bytes_at<'a>(bytes: *const c_char, length: usize) -> &'a [u8] {
    if length == 0 || bytes.is_null() {
        return &[];
    }
    // SAFETY: as demanded.
    unsafe { std::slice::from_raw_parts(bytes.cast(), length) }
}

/// # Safety
///
/// `text` is a string of the server that lives and does not change for `'a`.
unsafe fn string_at<'a>(text: *const RawString) -> &'a [u8] {
    let mut length = 0;
    // SAFETY: the string is valid, and its bytes live as long as it does.
    unsafe {
        let bytes = server!(StringPtrLen(text, &raw mut length));
        bytes_at(bytes, length)
    }
}

/// # Safety
///
/// `argv` points to `argc` strings that live and do not change for `'a`.
unsafe fn arguments<'a>(argv: *const *mut RawString, argc: c_int) -> Vec<&'a [u8]> {
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: as demanded; `add` stays within the array.
    (0..count).map(|index| unsafe { string_at(*argv.add(index)) }).collect()
}

fn lent<'a>(raw: *mut RawContext) -> Context<'a> {
    Context { raw, lent: PhantomData }
}

/// Runs what a callback is to do. No panic gets past it.
fn guard<R>(otherwise: R, act: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|payload| {
        // Dropping what was thrown, or cleaning up, could panic again.
        std::mem::forget(payload);
        let _ = catch_unwind(AssertUnwindSafe(entry::broke));
        otherwise
    })
}

/// What a server looks for in a module: it is loaded. Valkey accepts the older name, too.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn RedisModule_OnLoad(
    context: *mut RawContext,
    argv: *const *mut RawString,
    argc: c_int,
) -> c_int {
    guard(ERR, || {
        // SAFETY: by the servers' documented contract, the first word of a context is the function that finds all others,
        // and what is passed here is a context.
        let table = unsafe { Table::load(context.cast::<GetApi>().read()) };
        let missing = table.missing();
        if !missing.is_empty() {
            if let Some(log) = table.Log {
                let names = c_text(missing.join(", ").as_bytes());
                // SAFETY: the formats ask for one text, and one that ends with a zero is given.
                unsafe {
                    log(
                        context,
                        c"warning".as_ptr(),
                        c"This server is too old, its module API lacks: %s".as_ptr(),
                        names.as_ptr(),
                    );
                }
            }
            return ERR;
        }
        let _ = TABLE.set(table);
        // SAFETY: the arguments live until we return.
        let args = unsafe { arguments(argv, argc) };
        let context = lent(context);
        match entry::load(&context, &args) {
            Ok(()) => OK,
            Err(why) => {
                context.log(c"warning", &why);
                ERR
            }
        }
    })
}

/// Descriptors, timers and blocked clients would outlive the library: it stays until the server ends, when some servers
/// unload their modules.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn RedisModule_OnUnload(_context: *mut RawContext) -> c_int {
    guard(ERR, || if entry::has_ended() { OK } else { ERR })
}

extern "C" fn on_command(
    context: *mut RawContext,
    argv: *const *mut RawString,
    argc: c_int,
) -> c_int {
    let done = guard(false, || {
        // SAFETY: the arguments live until we return.
        let args = unsafe { arguments(argv, argc) };
        entry::command(&lent(context), &args);
        true
    });
    if !done {
        // SAFETY: the context is valid until we return.
        guard((), || lent(context).reply_error(entry::BROKEN.as_bytes()));
    }
    OK
}

extern "C" fn on_reply(
    context: *mut RawContext,
    _argv: *const *mut RawString,
    _argc: c_int,
) -> c_int {
    guard((), || {
        // SAFETY: the context is that of a client that was unblocked.
        let call = pointer_as_number(unsafe { server!(GetBlockedClientPrivateData(context)) });
        entry::answer(&lent(context), call);
    });
    OK
}

extern "C" fn on_free(_context: *mut RawContext, call: *mut c_void) {
    guard((), || entry::answered(pointer_as_number(call)));
}

extern "C" fn on_disconnect(_context: *mut RawContext, blocked: *mut RawBlocked) {
    guard((), || entry::disconnected(blocked.addr()));
}

extern "C" fn on_key_event(
    context: *mut RawContext,
    _class: c_int,
    event: *const c_char,
    key: *const RawString,
) -> c_int {
    guard((), || {
        // SAFETY: both live until we return; the event's name ends with a zero.
        let (event, key) = unsafe { (CStr::from_ptr(event), string_at(key)) };
        entry::key_event(&lent(context), &event.to_string_lossy(), key);
    });
    OK
}

extern "C" fn on_job(_context: *mut RawContext, _data: *mut c_void) {
    guard((), entry::notified);
}

extern "C" fn on_server_event(
    _context: *mut RawContext,
    event: RawEvent,
    moment: u64,
    _data: *mut c_void,
) {
    if event.id == EVENT_LOOP.id && moment == BEFORE_SLEEP {
        guard((), entry::before_sleep);
    } else if event.id == SHUTDOWN.id {
        guard((), entry::shutdown);
    }
}

extern "C" fn on_descriptor(_fd: c_int, token: *mut c_void, _mask: c_int) {
    guard((), || entry::ready(pointer_as_number(token)));
}

extern "C" fn on_one_shot(_data: *mut c_void) {
    guard((), entry::woken);
}

extern "C" fn on_timer(_context: *mut RawContext, _data: *mut c_void) {
    guard((), entry::timer_fired);
}

extern "C" fn on_info(page: *mut RawInfo, for_crash_report: c_int) {
    // While the server crashes, nothing may be asked of the engine.
    if for_crash_report == 0 {
        guard((), || entry::info(&InfoPage { raw: page, lent: PhantomData }));
    }
}
