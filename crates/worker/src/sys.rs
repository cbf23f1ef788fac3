//! The few system calls that std has no safe door for. The only `unsafe` of this crate.
#![allow(unsafe_code)]

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::process::Child;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A pair of sockets that keep message boundaries; closed in every child but where they are handed over.
pub(crate) fn packet_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    // SAFETY: `fds` has room for the two descriptors that the call writes.
    let status = unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        )
    };
    check(status as isize)?;
    // SAFETY: the call succeeded, so both are open and nobody else owns them.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: `fd` is open for the length of the borrow; both operations only touch its flags.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    check(flags as isize)?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) } as isize)?;
    Ok(())
}

/// How many descriptors one packet may carry.
const PASSED_MAX: usize = 3;

/// Sends one packet, and copies of `fds` with it.
pub(crate) fn send_packet(
    to: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    assert!(fds.len() <= PASSED_MAX && !bytes.is_empty());
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // u64 words: control messages want the alignment of a `cmsghdr`, and 8 words hold CMSG_SPACE of three descriptors.
    let mut control = [0u64; 8];
    // SAFETY: all-zero is a valid msghdr (null pointers, zero lengths).
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    if !fds.is_empty() {
        let payload =
            mem::size_of_val(fds) / mem::size_of::<BorrowedFd<'_>>() * mem::size_of::<RawFd>();
        header.msg_control = control.as_mut_ptr().cast();
        // SAFETY: pure arithmetic on a length.
        header.msg_controllen = unsafe { libc::CMSG_SPACE(payload as u32) } as usize;
        assert!(header.msg_controllen <= mem::size_of_val(&control));
        // SAFETY: `msg_control` points to `control`, large enough as just asserted, so the first header lies within it,
        // and so do the `payload` bytes of its data.
        unsafe {
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(payload as u32) as usize;
            let data = libc::CMSG_DATA(first).cast::<RawFd>();
            for (at, fd) in fds.iter().enumerate() {
                data.add(at).write_unaligned(fd.as_raw_fd());
            }
        }
    }
    // SAFETY: the header points to `part` and `control`, both alive; the kernel only reads them.
    check(unsafe { libc::sendmsg(to.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) })?;
    Ok(())
}

/// Receives one packet without waiting; `Ok(0)` is the end.
pub(crate) fn receive_packet(from: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the kernel writes at most `into.len()` bytes into `into`.
    let received = unsafe {
        libc::recv(from.as_raw_fd(), into.as_mut_ptr().cast(), into.len(), libc::MSG_DONTWAIT)
    };
    check(received)
}

/// Memory that another process maps as well. It sees and changes every word at any time, so each is atomic.
pub(crate) struct SharedMemory {
    start: NonNull<AtomicU32>,
    words: usize,
}

// SAFETY: it is memory of the process, not of a thread, and nothing in it is touched but through atomics.
unsafe impl Send for SharedMemory {}

impl SharedMemory {
    /// `bytes` zeros, and the descriptor by which another process maps them. Nobody can change their number: memory that
    /// was cut off behind our back would end us with SIGBUS.
    pub(crate) fn new(bytes: usize) -> io::Result<(Self, OwnedFd)> {
        assert!(bytes > 0 && bytes.is_multiple_of(mem::size_of::<AtomicU32>()));
        // SAFETY: the name is a C string that outlives the call.
        let fd = unsafe {
            libc::memfd_create(c"mailbox".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING)
        };
        check(fd as isize)?;
        // SAFETY: the call succeeded, so it is open and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let length = libc::off_t::try_from(bytes).map_err(io::Error::other)?;
        // SAFETY: both only concern an open descriptor of ours.
        check(unsafe { libc::ftruncate(fd.as_raw_fd(), length) } as isize)?;
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // SAFETY: as above.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, seals) } as isize)?;
        // SAFETY: a new mapping, placed by the kernel, touches no memory that anybody has.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok((SharedMemory { start, words: bytes / mem::size_of::<AtomicU32>() }, fd))
    }

    pub(crate) fn words(&self) -> &[AtomicU32] {
        // SAFETY: the mapping is that long and lives until `drop`; it begins at a page, so it is aligned; any bits are
        // an AtomicU32, and what others do to it meanwhile they do to atomics.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }

    /// Copies `length` bytes from the byte `at`, a multiple of four.
    pub(crate) fn read(&self, at: usize, length: usize, into: &mut Vec<u8>) {
        let first = at / 4;
        let words = &self.words()[first..first + length.div_ceil(4)];
        into.clear();
        for word in words {
            into.extend_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        into.truncate(length);
    }

    /// Copies bytes to the byte `at`, a multiple of four; up to three after them become zero.
    pub(crate) fn write(&self, at: usize, bytes: &[u8]) {
        let first = at / 4;
        let words = &self.words()[first..first + bytes.len().div_ceil(4)];
        for (word, chunk) in words.iter().zip(bytes.chunks(4)) {
            let mut four = [0; 4];
            four[..chunk.len()].copy_from_slice(chunk);
            word.store(u32::from_ne_bytes(four), Ordering::Relaxed);
        }
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        let bytes = self.words * mem::size_of::<AtomicU32>();
        // SAFETY: the mapping is ours and that long, and nothing borrowed from it outlives `self`. It cannot fail.
        unsafe { libc::munmap(self.start.as_ptr().cast(), bytes) };
    }
}

/// Waits until one of `fds` can be read (the second of a pair: or written), or the time is over.
pub(crate) fn wait(fds: &[(BorrowedFd<'_>, bool)], timeout: Duration) -> io::Result<bool> {
    let mut polled: Vec<libc::pollfd> = fds
        .iter()
        .map(|(fd, write)| libc::pollfd {
            fd: fd.as_raw_fd(),
            events: libc::POLLIN | if *write { libc::POLLOUT } else { 0 },
            revents: 0,
        })
        .collect();
    let timeout = libc::timespec {
        tv_sec: timeout.as_secs().min(i32::MAX as u64) as libc::time_t,
        tv_nsec: libc::c_long::from(timeout.subsec_nanos() as i32),
    };
    // SAFETY: `polled` has as many entries as we say, `timeout` lives through the call, and no signal mask is given.
    let ready = unsafe {
        libc::ppoll(
            polled.as_mut_ptr(),
            polled.len() as libc::nfds_t,
            &raw const timeout,
            std::ptr::null(),
        )
    };
    match check(ready as isize) {
        Ok(ready) => Ok(ready > 0),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}

/// Asks a child to end. It is not reaped before its handle says so: its number is still its own.
pub(crate) fn terminate(child: &Child) -> io::Result<()> {
    let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: kill has no preconditions.
    check(unsafe { libc::kill(pid, libc::SIGTERM) } as isize).map(drop)
}

/// Memory page size and clock ticks a second, the units of `/proc`.
pub(crate) fn proc_units() -> (u64, u64) {
    // SAFETY: sysconf has no preconditions; both names are always known on Linux.
    let (page, ticks) =
        unsafe { (libc::sysconf(libc::_SC_PAGESIZE), libc::sysconf(libc::_SC_CLK_TCK)) };
    (u64::try_from(page).unwrap_or(4096), u64::try_from(ticks).unwrap_or(100))
}

/// Ends a child that leads a process group, and the group. It has not been reaped, so the number is nobody else's.
pub(crate) fn kill_group(child: &std::process::Child) {
    let Ok(group) = libc::pid_t::try_from(child.id()) else { return };
    // SAFETY: sending a signal touches no memory of ours. It fails only when the group is gone.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}

fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
