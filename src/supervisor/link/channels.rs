//! The connections that ssh carries by itself, because it was given the clients' own sockets: telling a
//! client when nothing more will come.
//!
//! ssh has the same socket twice, to read from and to write to, and the supervisor has it, too. When ssh
//! closes the one that it writes to, the client learns nothing of it. So the supervisor has ssh tell when it does
//! that ([`crate::openssh::log_lines`]), and ends the socket in that direction itself.
//!
//! ssh tells in lines that were not meant for this. Whether they come, and mean what they did, is found out
//! anew for every link, before anything depends on it ([`Channels::prove`]).

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use super::mux::{self, Offer, Refusal};
use super::stderr::Ear;
use crate::config::forwarding::Target;
use crate::openssh::log_lines::{Told, told};

/// How long a link may take to prove itself; until it has, connections are carried by copying.
const PATIENCE: Duration = Duration::from_secs(30);

/// An address that no system connects to over TCP: it belongs to everybody (RFC 919). It needs no name server, and
/// not a packet is sent. A path would do better, but not every ssh can be asked for one (9.2 cannot).
const NOWHERE: &str = "255.255.255.255";

/// The channels of the present ssh.
#[derive(Debug, Default)]
pub struct Channels {
    present: Mutex<Present>,
}

#[derive(Debug, Default)]
struct Present {
    ear: Option<Ear>,
    /// Whether ssh is known to tell what it has to.
    proven: bool,
    /// What it has told of, ever.
    opened: bool,
    ended: bool,
    /// Channels that nobody has claimed yet, and whether they have ended already.
    unclaimed: HashMap<u32, bool>,
    /// Clients, by the channels that carry them.
    clients: HashMap<u32, Arc<TcpStream>>,
}

impl Channels {
    /// Begins with another ssh, to which `ear` listens.
    pub fn begin(&self, ear: &Ear) {
        *self.present() = Present { ear: Some(ear.clone()), ..Present::default() };
    }

    /// Takes a line of ssh's; says whether it was about channels.
    pub fn hear(&self, line: &str) -> bool {
        let Some(told) = told(line) else { return false };
        let mut present = self.present();
        match told {
            Told::Opened(number) => {
                present.opened = true;
                // Whoever had the number is gone, or ssh would not have given it away again.
                present.clients.remove(&number);
                present.unclaimed.insert(number, false);
            }
            Told::Ended(number) => {
                present.ended = true;
                if let Some(client) = present.clients.get(&number) {
                    end(client);
                } else if let Some(ended) = present.unclaimed.get_mut(&number) {
                    *ended = true;
                }
            }
            Told::Nothing => {}
        }
        true
    }

    /// Whether ssh can be given sockets.
    pub fn are_proven(&self) -> bool {
        self.present().proven
    }

    /// Finds out whether ssh tells what it has to: it is given a socket to carry to where nothing can be, and so
    /// opens a channel and ends the one that it was asked on. Returns whether the server was asked, and refused.
    pub async fn prove(&self, control: &Path) -> bool {
        let nowhere = Target::Port(NOWHERE.into(), 1);
        let attempt = async {
            let (ours, theirs) = UnixStream::pair()?;
            let mut offer = mux::offer(control, &nowhere, theirs.as_fd()).await?;
            drop(theirs);
            let outcome = offer.opened().await;
            offer.over().await;
            drop(ours);
            Ok::<_, std::io::Error>(matches!(outcome, Err(Refusal::Refused(_))))
        };
        let refused = matches!(timeout(PATIENCE, attempt).await, Ok(Ok(true)));
        if refused {
            self.catch_up();
            let mut present = self.present();
            present.proven = present.opened && present.ended;
        }
        refused
    }

    /// Sees to the end of `client`, which `offer` has made channel `number` carry, as long as what is returned
    /// lives.
    pub fn claim<'a>(&'a self, number: u32, client: &'a Arc<TcpStream>, offer: &Offer) -> Claim<'a> {
        // ssh told that it had opened the channel before it said so to whoever asked.
        self.catch_up();
        // When it is over, another channel may have got the number.
        if !offer.is_over() {
            let mut present = self.present();
            if present.unclaimed.remove(&number) == Some(true) {
                end(client);
            }
            present.clients.insert(number, Arc::clone(client));
        }
        Claim { channels: self, number, client }
    }

    fn catch_up(&self) {
        let ear = self.present().ear.clone();
        // Which ends in `hear`.
        let _ = ear.map(|ear| ear.catch_up());
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that is told of the end.
#[derive(Debug)]
pub struct Claim<'a> {
    channels: &'a Channels,
    number: u32,
    client: &'a Arc<TcpStream>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut present = self.channels.present();
        let is_ours = |client: &Arc<TcpStream>| Arc::ptr_eq(client, self.client);
        if present.clients.get(&self.number).is_some_and(is_ours) {
            present.clients.remove(&self.number);
        }
    }
}

/// Tells `client` that nothing more will come. That it is gone is no error.
fn end(client: &TcpStream) {
    let _ = client.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::path::PathBuf;

    use nix::fcntl::OFlag;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::supervisor::link::stderr::Use;

    /// What stands for ssh: its standard error, and the requests that come over its control socket.
    struct Rig {
        channels: Arc<Channels>,
        said: File,
        listener: tokio::net::UnixListener,
        control: PathBuf,
        _directory: tempfile::TempDir,
    }

    impl Rig {
        fn new() -> Self {
            let (ours, theirs) = nix::unistd::pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).unwrap();
            let channels = Arc::new(Channels::default());
            let hearing = Arc::clone(&channels);
            let hear = move |line: &str| if hearing.hear(line) { Use::Drop } else { Use::Keep };
            channels.begin(&Ear::new(ours, Box::new(hear)));
            let directory = tempfile::tempdir().unwrap();
            let control = directory.path().join("ctl");
            let listener = tokio::net::UnixListener::bind(&control).unwrap();
            Self { channels, said: File::from(theirs), listener, control, _directory: directory }
        }

        /// The same, its channels, and a request with ssh's end of it.
        async fn with_offer() -> (Self, Arc<Channels>, Offer, UnixStream) {
            let rig = Self::new();
            let (channels, (offer, ssh)) = (Arc::clone(&rig.channels), rig.offer().await);
            (rig, channels, offer, ssh)
        }

        fn opens(&mut self, number: u32) {
            let place = "channels.c:channel_new():383 (pid=1)";
            writeln!(self.said, "debug1: {place}: channel {number}: new direct-tcpip [stdio-forward]")
                .unwrap();
        }

        fn ends(&mut self, number: u32) {
            let place = "nchan.c:chan_shutdown_write():381 (pid=1)";
            writeln!(self.said, "debug2: {place}: channel {number}: (i0 o1 sock -1 wfd 7)").unwrap();
        }

        /// A request, and ssh's end of it.
        async fn offer(&self) -> (Offer, UnixStream) {
            let (_, socket) = UnixStream::pair().unwrap();
            let nowhere = Target::Port("localhost".into(), 1);
            let offer = mux::offer(&self.control, &nowhere, socket.as_fd());
            let (offer, accepted) = tokio::join!(offer, self.listener.accept());
            (offer.unwrap(), accepted.unwrap().0)
        }
    }

    /// A client, and the socket at which it has arrived.
    fn client() -> (TcpStream, Arc<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_nonblocking(true).unwrap();
        (client, Arc::new(listener.accept().unwrap().0))
    }

    /// Loopback delivers at once, so nothing has to be waited for.
    fn has_ended(mut client: &TcpStream) -> bool {
        client.read(&mut [0]).is_ok_and(|read| read == 0)
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn the_end_of_a_channel_is_told_to_its_client() {
        block_on(async {
            let (mut rig, channels, offer, _ssh) = Rig::with_offer().await;
            let (there, here) = client();
            rig.opens(3);
            let claim = channels.claim(3, &here, &offer);
            rig.ends(4);
            channels.catch_up();
            assert!(!has_ended(&there));
            rig.ends(3);
            channels.catch_up();
            assert!(has_ended(&there));
            drop(claim);
            assert_eq!(Arc::strong_count(&here), 1);
        });
    }

    /// ssh says that it has opened a channel over another way than that it has ended.
    #[test]
    fn an_end_that_is_told_before_the_beginning_is_not_lost() {
        block_on(async {
            let (mut rig, channels, offer, _ssh) = Rig::with_offer().await;
            let (there, here) = client();
            rig.opens(3);
            rig.ends(3);
            let _claim = channels.claim(3, &here, &offer);
            assert!(has_ended(&there));
        });
    }

    #[test]
    fn the_end_of_an_earlier_channel_of_the_same_number_is_not_told() {
        block_on(async {
            let (mut rig, channels, offer, _ssh) = Rig::with_offer().await;
            // One that nobody claims, like those of sessions.
            rig.opens(3);
            rig.ends(3);
            rig.opens(3);
            let (there, here) = client();
            let _claim = channels.claim(3, &here, &offer);
            assert!(!has_ended(&there));
        });
    }

    #[test]
    fn who_comes_late_does_not_take_the_number_of_another() {
        block_on(async {
            let mut rig = Rig::new();
            let channels = Arc::clone(&rig.channels);
            let ((early, ssh), (late, _ssh)) = (rig.offer().await, rig.offer().await);
            let ((_, first), (there, second)) = (client(), client());
            rig.opens(3);
            rig.ends(3);
            drop(ssh);
            rig.opens(3);
            let second_claim = channels.claim(3, &second, &late);
            drop(channels.claim(3, &first, &early));
            rig.ends(3);
            channels.catch_up();
            assert!(has_ended(&there));
            drop(second_claim);
        });
    }

    /// Answers a request as ssh does where nothing listens: it reads it to its end, says no, and hangs up.
    async fn refuse(ssh: &mut UnixStream) {
        let mut request = [0; 1024];
        while ssh.read(&mut request).await.unwrap() == 1024 {}
        let hello: &[u8] = b"\0\0\0\x08\0\0\0\x01\0\0\0\x04";
        let failure: &[u8] = b"\0\0\0\x0e\x80\0\0\x03\0\0\0\x01\0\0\0\x02no";
        ssh.write_all(&[hello, failure].concat()).await.unwrap();
    }

    fn proven_by(say: impl Fn(&mut Rig)) -> bool {
        block_on(async {
            let mut rig = Rig::new();
            let (channels, control) = (Arc::clone(&rig.channels), rig.control.clone());
            let ssh = async {
                let (mut ssh, _) = rig.listener.accept().await.unwrap();
                say(&mut rig);
                refuse(&mut ssh).await;
            };
            let (refused, ()) = tokio::join!(channels.prove(&control), ssh);
            assert!(refused);
            channels.are_proven()
        })
    }

    #[test]
    fn an_ssh_is_trusted_when_it_tells_of_both_ends() {
        assert!(proven_by(|rig| {
            rig.opens(3);
            rig.ends(2);
        }));
        assert!(!proven_by(|rig| rig.opens(3)));
        assert!(!proven_by(|rig| rig.ends(2)));
        assert!(!proven_by(|_| {}));
    }

    #[test]
    fn what_is_not_about_channels_is_left_to_others() {
        let channels = Channels::default();
        assert!(!channels.hear("Connection to 192.0.2.1 closed by remote host."));
        assert!(channels.hear("debug2: nchan.c:chan_shutdown_write():381: channel 1: (i3 o1)"));
        assert!(!channels.are_proven());
    }
}
