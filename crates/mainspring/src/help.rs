//! What the binary says of itself.

/// One line in the form that tools read off a redis-server.
///
/// They take the first dotted number (or what follows `v=`) and gate features on it. So that is the Redis whose commands
/// and replies this server gives, the same as INFO's `redis_version`; our own version follows.
pub(crate) fn version() -> String {
    format!(
        "Mainspring server, Redis v={} mainspring={} malloc=mimalloc bits={}",
        server::REDIS_VERSION,
        env!("CARGO_PKG_VERSION"),
        usize::BITS
    )
}

pub(crate) const OVERVIEW: &str = "\
Mainspring: a Redis-compatible in-memory data server that runs Python functions where the data is.

Usage:
  mainspring server [redis.conf] [--name value ...]   serve
  mainspring --name value ...                         the same, as test tools start a redis-server
  mainspring demo [--stay]                            see in a few seconds what it does
  mainspring help [server | demo]                     this text, or more about one command
  mainspring --version                                the Redis it is compatible with, and its own version

Try:
  mainspring demo
  mainspring server --port 6379
  redis-cli RG.PYEXECUTE \"GB().count().run()\"
";

pub(crate) const SERVER: &str = "\
Serves until SHUTDOWN, SIGTERM or Ctrl-C.

Usage:
  mainspring server [redis.conf] [--name value ...]

A file in redis.conf's format comes first, if any; what follows on the command line goes over it. Every parameter of
CONFIG GET can be given as an option.

Often used:
  --port N                    TCP port (6379); 0 lets the system choose one
  --port-file FILE            write the port to this file when it is bound
  --bind ADDRESS ...          addresses to listen on (127.0.0.1 and ::1)
  --unixsocket PATH           listen on a Unix socket too
  --config FILE               read a file, like the first argument
  --dir DIRECTORY             where to work (.)
  --logfile FILE              write the log there, not to standard output
  --loglevel LEVEL            debug, verbose, notice, warning or nothing (notice)
  --requirepass PASSWORD      clients must AUTH first
  --maxmemory SIZE            what the data may take: 100mb, 2gb (no limit)
  --maxmemory-policy POLICY   what goes beyond that: allkeys-lru, volatile-ttl ... (noeviction: writes are refused)
  --stop-with-stdin           end when standard input ends: for a program that starts a server of its own

Functions:
  --python PROGRAM            the interpreter that runs them, Python 3.8 or newer (python3); given several times, each
                              function runs on the version that pickled it, others on the first
  --requirements-wheels DIR   wheels that REQUIREMENTS may be met from without a network
  --function-workers-warm N   idle Python processes kept ready (2)
  --function-timeout-ms N     end an execution that takes longer (0: never)
  --function-memory-bytes N   what one session's process may use (0: no limit)
  --function-cpu-ms N         end an execution that uses more processor time (0: no limit)
  --function-processes no     functions start no processes
  --function-network no       functions open no sockets
  --function-filesystem ro    functions write to no files but temporary ones of their own
  --function-env NAME=VALUE   what functions find in their environment, too; can be given several times
  --atomic-max-ms N           how long atomic() may hold the server (5000)
  --reply-compat VERSION      layout of RG.* replies: 1.2.1 or 1.2.13, as RedisGears has them (1.2.1)
";

pub(crate) const DEMO: &str = "\
Starts a server on a free loopback port, loads real text, runs functions over it and tells what happened.

Usage:
  mainspring demo [--stay] [--python PROGRAM]

Inside Mainspring's own repository it loads the documents and sources of that, elsewhere the documents that come
with the program. The exit code is 0 only if everything went as told.

  --stay             keep the server with its data and functions until Ctrl-C
  --python PROGRAM   the interpreter for functions, Python 3.8 or newer (python3)
";

#[cfg(test)]
mod tests {
    use super::*;

    /// pytest-redis and others take the first dotted number and want at least 2.6.
    #[test]
    fn the_first_dotted_number_is_the_version_of_redis() {
        let line = version();
        let number =
            line.split(|c: char| !c.is_ascii_digit() && c != '.').find(|word| word.contains('.'));
        assert_eq!(number, Some(server::REDIS_VERSION));
        assert!(line.contains(&format!(" v={} ", server::REDIS_VERSION)), "{line}");
        assert!(line.contains(&format!("mainspring={}", env!("CARGO_PKG_VERSION"))), "{line}");
    }

    #[test]
    fn help_fits_a_wide_terminal() {
        for line in [OVERVIEW, SERVER, DEMO].into_iter().flat_map(str::lines) {
            assert!(line.chars().count() <= 120, "{line}");
        }
    }
}
