//! Places on this machine: a Unix socket, a file.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use wavefront_sdk::transport::conformance::{Rig, check};
use wavefront_sdk::transport::{Accepted, Failure, File, Transport, TransportError};

use super::{huge, many, metrics};

/// A folder of one test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wavefront-local-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct FileRig {
    folder: Folder,
    sync: bool,
}

impl Rig for FileRig {
    type Transport = File;

    fn transport(&mut self) -> File {
        File::new(self.folder.join("there/lines")).sync(self.sync)
    }

    fn received(&mut self) -> Vec<u8> {
        let path = self.folder.join("there/lines");
        let bytes = fs::read(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        bytes
    }

    fn stop(&mut self) -> bool {
        fs::rename(self.folder.join("there"), self.folder.join("away")).is_ok()
    }

    fn start(&mut self) {
        fs::rename(self.folder.join("away"), self.folder.join("there")).unwrap();
    }
}

#[test]
fn a_file_keeps_the_contract() {
    for sync in [false, true] {
        let folder = Folder::new();
        fs::create_dir(folder.join("there")).unwrap();
        let report = check(&mut FileRig { folder, sync }).unwrap_or_else(|violation| panic!("{violation}"));
        assert_eq!(report.skipped, ["a broken connection is noticed", "finish does not vouch for a broken connection"]);
    }
}

#[test]
fn a_file_that_is_moved_away_is_followed_by_a_new_one() {
    let folder = Folder::new();
    let (path, old) = (folder.join("lines"), folder.join("lines.1"));
    let mut file = File::new(&path);
    file.send(metrics(b"a 1\n")).unwrap();
    fs::rename(&path, &old).unwrap();
    file.send(metrics(b"b 2\nc 3\n")).unwrap();
    assert_eq!((fs::read(old).unwrap(), fs::read(path).unwrap()), (b"a 1\n".to_vec(), b"b 2\nc 3\n".to_vec()));
}

/// What a program or a machine leaves that is stopped in the middle of a write.
#[test]
fn half_a_line_at_the_end_of_a_file_is_cut_off() {
    let folder = Folder::new();
    let path = folder.join("lines");
    let long = many(1_000);
    for whole in ["a 1\n", "a 1\nb 2\n", std::str::from_utf8(&long).unwrap()] {
        for half in ["c", &"c".repeat(100_000)] {
            fs::write(&path, format!("{whole}{half}")).unwrap();
            File::new(&path).send(metrics(b"d 4\n")).unwrap();
            assert!(fs::read_to_string(&path).unwrap() == format!("{whole}d 4\n"));
        }
    }
}

/// Not ours to cut.
#[test]
fn a_file_of_something_else_is_left_alone() {
    let folder = Folder::new();
    let path = folder.join("picture");
    for foreign in [vec![0xff; 100], vec![0; 20 << 20]] {
        fs::write(&path, &foreign).unwrap();
        let error = File::new(&path).send(metrics(b"d 4\n")).unwrap_err();
        assert_eq!((error.kind(), error.lines_done()), (Failure::Connect, 0));
        assert!(error.to_string().contains("something else than lines"), "{error}");
        assert!(fs::read(&path).unwrap() == foreign);
    }
}

#[test]
fn what_keeps_a_file_from_being_written_is_said() {
    let folder = Folder::new();
    let error = File::new(folder.join("no/lines")).send(metrics(b"a 1\n")).unwrap_err();
    assert_eq!(error.kind(), Failure::Connect);
    assert!(error.to_string().contains("make the folder"), "{error}");
    let error = File::new(&folder.0).send(metrics(b"a 1\n")).unwrap_err();
    assert!(error.to_string().contains("neither a file nor a device"), "{error}");
    assert!(!format!("{error} {error:?}").contains("a 1"), "{error:?}");
}

/// Several programs may append to one file, and none cuts off what another is about to finish.
#[test]
fn writers_of_one_file_do_not_disturb_each_other() {
    let folder = Folder::new();
    let path = folder.join("lines");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let mut file = File::new(path);
                for batch in 0..50 {
                    let lines: String = (0..200).map(|line| format!("w{writer}.b{batch}.l{line} 1\n")).collect();
                    file.send(metrics(lines.as_bytes())).unwrap();
                }
            });
        }
    });
    let text = fs::read_to_string(&path).unwrap();
    let mut names: Vec<&str> = text.lines().map(|line| line.strip_suffix(" 1").unwrap()).collect();
    assert_eq!(names.len(), 4 * 50 * 200);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 4 * 50 * 200);
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_without_room_is_an_error_and_not_half_a_line() {
    let mut full = File::new("/dev/full");
    for _ in 0..3 {
        let error = full.send(metrics(b"a 1\nb 2\n")).unwrap_err();
        assert_eq!((error.kind(), error.lines_done()), (Failure::Connect, 0));
        assert!(error.to_string().contains("make room"), "{error}");
    }
    assert_eq!(File::new("/dev/null").send(metrics(b"a 1\n")).unwrap(), Accepted::Delivered);
}

/// A limit on the size of files is the disk that is full, for a process of its own.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_takes_whole_lines() {
    const CHILD: &str = "WAVEFRONT_TEST_FULL_DISK";
    if let Ok(path) = std::env::var(CHILD) {
        return fill(&path);
    }
    let folder = Folder::new();
    let path = folder.join("lines");
    let test = std::env::current_exe().unwrap();
    // The signal that goes with the limit would end the process: ignored, it is an error of the write.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" a_disk_that_fills_up_takes_whole_lines --nocapture";
    let child = std::process::Command::new("bash").args(["-c", script]).arg(test).env(CHILD, &path).output().unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    let said = String::from_utf8_lossy(&child.stdout);
    let done =
        said.lines().find_map(|line| line.split("lines done: ").nth(1)).unwrap().trim().parse::<usize>().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.ends_with('\n') && text.len() <= 64 << 10 && text.len() > (64 << 10) - 70);
    assert_eq!(text.lines().count(), done);
    assert!(many(u32::try_from(done).unwrap()) == text.as_bytes());
}

#[cfg(target_os = "linux")]
fn fill(path: &str) {
    let mut file = File::new(path);
    let lines = many(10_000);
    let error = file.send(metrics(&lines)).unwrap_err();
    assert_eq!(error.kind(), Failure::Connect);
    let done = error.lines_done();
    let rest: Vec<u8> = lines.split_inclusive(|&byte| byte == b'\n').skip(done as usize).flatten().copied().collect();
    let again = file.send(metrics(&rest)).unwrap_err();
    assert_eq!(again.lines_done(), 0, "there is no room for the next line");
    println!("lines done: {done}");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    use wavefront_sdk::transport::{UnixSocket, UnixSocketError};

    use super::super::{LONG, SHORT};
    use super::*;

    fn listener(folder: &Folder) -> (UnixListener, UnixSocket) {
        let path = folder.join("agent.sock");
        let _ = fs::remove_file(&path);
        (UnixListener::bind(&path).unwrap(), UnixSocket::new(path))
    }

    fn reader(listener: &UnixListener) -> JoinHandle<Vec<u8>> {
        let listener = listener.try_clone().unwrap();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            listener.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
            bytes
        })
    }

    fn kind(result: Result<impl std::fmt::Debug, UnixSocketError>) -> Failure {
        result.unwrap_err().kind()
    }

    #[test]
    fn a_large_batch_outlasts_a_slow_reader() {
        let folder = Folder::new();
        let (listener, mut socket) = listener(&folder);
        assert!(!socket.is_connected());
        let reader = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut bytes, mut part) = (Vec::new(), vec![0; 1 << 20]);
            while let read @ 1.. = stream.read(&mut part).unwrap() {
                bytes.extend_from_slice(&part[..read]);
                thread::sleep(Duration::from_millis(1));
            }
            bytes
        });
        let large = huge();
        assert_eq!(socket.send(metrics(&large)).unwrap(), Accepted::Written);
        socket.finish(LONG).unwrap();
        assert!(reader.join().unwrap() == large);
    }

    #[test]
    fn a_peer_that_closed_between_sends_is_noticed_before_anything_is_written() {
        let folder = Folder::new();
        let (listener, mut socket) = listener(&folder);
        for (round, reset) in [false, true, false].into_iter().enumerate() {
            let (first, second) = (format!("first {round}\n"), format!("second {round}\n"));
            socket.send(metrics(first.as_bytes())).unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            if !reset {
                stream.read_exact(&mut vec![0; first.len()]).unwrap();
            }
            drop(stream);
            assert_eq!(kind(socket.send(metrics(second.as_bytes()))), Failure::Broken, "reset: {reset}");
            assert!(!socket.is_connected());
            let reader = reader(&listener);
            socket.send(metrics(second.as_bytes())).unwrap();
            socket.finish(LONG).unwrap();
            assert_eq!(reader.join().unwrap(), second.as_bytes(), "whole, and once");
        }
    }

    /// More than with TCP: the kernel knows what was read.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_was_not_read_is_known_while_the_connection_stands() {
        let folder = Folder::new();
        let (listener, mut socket) = listener(&folder);
        assert_eq!(socket.unacknowledged(), None);
        socket.send(metrics(b"a 1\n")).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        assert!(socket.unacknowledged().unwrap() >= 4);
        stream.read_exact(&mut [0; 4]).unwrap();
        assert_eq!(socket.unacknowledged(), Some(0));
        // How much of it a peer had read that has gone, it does not say.
        socket.send(metrics(b"b 2\n")).unwrap();
        drop(stream);
        assert_eq!(kind(socket.probe()), Failure::Broken);
        assert_eq!(socket.unacknowledged(), Some(0));
    }

    #[test]
    fn an_end_is_confirmed_by_the_one_who_has_read_it_all() {
        let folder = Folder::new();
        let (listener, mut socket) = listener(&folder);
        socket.send(metrics(b"a 1\n")).unwrap();
        let (stream, _) = listener.accept().unwrap();
        assert_eq!(kind(socket.finish(SHORT)), Failure::Timeout);
        drop(stream);
        socket.send(metrics(b"a 1\n")).unwrap();
        let (stream, _) = listener.accept().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(SHORT / 5);
                drop(stream);
            });
            assert_eq!(kind(socket.finish(LONG)), Failure::Broken, "closed with the line unread");
        });
    }

    #[test]
    fn who_is_not_there_is_said() {
        let folder = Folder::new();
        let path = folder.join("agent.sock");
        let mut socket = UnixSocket::new(&path);
        let error = socket.send(metrics(b"a 1\n")).unwrap_err();
        assert_eq!(error.kind(), Failure::Connect);
        assert!(error.to_string().contains("agent.sock") && !error.to_string().contains("a 1"), "{error}");
        // A socket whose process has gone.
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(kind(socket.send(metrics(b"a 1\n"))), Failure::Connect);
        // Longer than a path of a socket can be.
        let mut socket = UnixSocket::new("/".repeat(200));
        assert_eq!(kind(socket.send(metrics(b"a 1\n"))), Failure::Connect);
    }

    /// A process that listens and accepts nothing makes each connection wait on Linux.
    #[test]
    fn a_full_queue_of_connections_does_not_hold_it_for_ever() {
        let folder = Folder::new();
        let (_listener, socket) = listener(&folder);
        let path = socket.path().to_owned();
        let mut socket = socket.connect_timeout(SHORT);
        let mut others = Vec::new();
        for _ in 0..10_000 {
            let mut other = UnixSocket::new(&path).connect_timeout(SHORT);
            if other.send(metrics(b"a 1\n")).is_err() {
                assert_eq!(kind(socket.send(metrics(b"a 1\n"))), Failure::Connect);
                return;
            }
            others.push(other);
        }
        panic!("the queue takes any number");
    }

    struct SocketRig {
        folder: Folder,
        server: Option<Server>,
        received: Vec<u8>,
    }

    /// A connection, and the thread that reads it.
    type Connection = (UnixStream, JoinHandle<Vec<u8>>);

    /// Reads all connections, each on a thread of its own.
    struct Server {
        listener: UnixListener,
        connections: std::sync::Arc<std::sync::Mutex<Vec<Connection>>>,
        stops: std::sync::Arc<std::sync::atomic::AtomicBool>,
        thread: JoinHandle<()>,
    }

    impl Server {
        fn start(path: &std::path::Path) -> Self {
            let listener = UnixListener::bind(path).unwrap();
            let connections = std::sync::Arc::default();
            let stops = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
            let (accepts, known, stopped) =
                (listener.try_clone().unwrap(), std::sync::Arc::clone(&connections), std::sync::Arc::clone(&stops));
            let thread = thread::spawn(move || {
                let known: std::sync::Arc<std::sync::Mutex<Vec<_>>> = known;
                while let Ok((stream, _)) = accepts.accept() {
                    if stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    let mut reads = stream.try_clone().unwrap();
                    // It is known before it can have ended.
                    let mut known = known.lock().unwrap();
                    let reader = thread::spawn(move || {
                        let mut bytes = Vec::new();
                        let _ = reads.read_to_end(&mut bytes);
                        // Its end has been seen.
                        let _ = reads.shutdown(std::net::Shutdown::Both);
                        bytes
                    });
                    known.push((stream, reader));
                }
            });
            Self { listener, connections, stops, thread }
        }

        /// Ends the connections, and returns what came over them.
        fn cut(&self) -> Vec<u8> {
            let all = std::mem::take(&mut *self.connections.lock().unwrap());
            let mut bytes = Vec::new();
            for (stream, reader) in all {
                let _ = stream.shutdown(std::net::Shutdown::Both);
                let read = reader.join().unwrap();
                let whole = read.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
                bytes.extend_from_slice(&read[..whole]);
            }
            bytes
        }
    }

    impl Rig for SocketRig {
        type Transport = UnixSocket;

        fn transport(&mut self) -> UnixSocket {
            UnixSocket::new(self.folder.join("agent.sock"))
        }

        fn received(&mut self) -> Vec<u8> {
            if let Some(server) = &self.server {
                self.received.extend(server.cut());
            }
            std::mem::take(&mut self.received)
        }

        fn break_connections(&mut self) -> bool {
            let server = self.server.as_ref().unwrap();
            while server.connections.lock().unwrap().is_empty() {
                thread::yield_now();
            }
            self.received.extend(server.cut());
            true
        }

        fn stop(&mut self) -> bool {
            let Server { listener, stops, thread, .. } = self.server.take().unwrap();
            stops.store(true, Ordering::Relaxed);
            let path = self.folder.join("agent.sock");
            drop(UnixStream::connect(&path));
            thread.join().unwrap();
            drop(listener);
            fs::remove_file(path).is_ok()
        }

        fn start(&mut self) {
            self.server = Some(Server::start(&self.folder.join("agent.sock")));
        }
    }

    #[test]
    fn a_unix_socket_keeps_the_contract() {
        let mut rig = SocketRig { folder: Folder::new(), server: None, received: Vec::new() };
        rig.start();
        let report = check(&mut rig).unwrap_or_else(|violation| panic!("{violation}"));
        assert!(report.skipped.is_empty(), "{report:?}");
    }
}
