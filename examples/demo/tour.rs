//! The tour: the commands of a first day with soong, in order, and what a newcomer sees.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::home::{Home, NOT_RUNNING, STATUS, STOP};
use crate::http::{self, Message};
use crate::machine::Machine;
use crate::screen::{Screen, output};
use crate::services::{MODEL, N8N, SGLANG, STATUS_DAEMON};

/// A service of the instance, and the local port the tunnel gives it.
struct Forward {
    service: &'static str,
    flag: &'static str,
    remote: u16,
    local: u16,
}

/// Time for the supervisor to notice a lost link, of which the kernel tells it at once.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause while the machine is off, for the viewer.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs the tour in `home`, against `machine`, whose status daemon asks for `token`.
pub async fn tour(
    screen: &Screen,
    home: &mut Home,
    machine: &mut Machine,
    token: &str,
) -> Result<(), Box<dyn Error>> {
    introduce(screen, home)?;
    let forwards = choose_ports().await?;
    start(screen, home, &forwards).await?;
    requests(screen, &forwards, token).await?;
    screen.explain(&format!(
        "The instance counted {} SSH login and {} forwarded connections:\n\
         one encrypted connection carries them all.",
        machine.logins(),
        machine.forwarded()
    ));
    lose_link(screen, home, machine, &forwards).await?;
    stop(screen, home).await
}

fn introduce(screen: &Screen, home: &Home) -> io::Result<()> {
    screen.explain(&format!(
        "Welcome to soong. You have rented a GPU machine, and what runs there listens\n\
         on the machine's own localhost. soong brings it to yours. This tour shows\n\
         how, with the real commands.\n\
         \n\
         The rented machine is played by a small SSH server inside this demo, with\n\
         stand-ins for SGLang and n8n, and the real status daemon. All of it lives in\n\
         {} and is gone when the tour ends.",
        home.path().display()
    ));
    screen.explain("soong has to know where your instance is. This is enough:");
    screen.command("cat ~/.config/soong/config.toml");
    output(&home.config()?);
    Ok(())
}

async fn start(screen: &Screen, home: &mut Home, forwards: &[Forward]) -> Result<(), Box<dyn Error>> {
    let mut explanation = vec!["Open the tunnel.".to_owned()];
    let mut words = vec!["soong tunnel start".to_owned()];
    for Forward { service, flag, remote, local } in forwards {
        if local != remote {
            explanation
                .push(format!("Port {remote} of this computer is in use, so {service} goes to {local}."));
            words.push(format!("{flag} {local}"));
        }
    }
    let line = words.join(" ");
    screen.explain(&explanation.join("\n"));
    expect(home.run(screen, &line).await?, 0, &line)?;
    screen.explain("The prompt is back; the tunnel stays up in the background. Is it there?");
    expect(home.run(screen, STATUS).await?, 0, STATUS)
}

async fn requests(screen: &Screen, forwards: &[Forward], token: &str) -> Result<(), Box<dyn Error>> {
    let bearer = format!("Bearer {token}");

    screen.explain(
        "localhost is the instance now: ask its language model to finish a function.\n\
         (You need no curl, the demo sends what the curl command would send. And the\n\
         model is a stand-in that knows this one answer.)",
    );
    ask_model(screen, local(forwards, SGLANG)).await?;

    screen.explain("n8n is a web page; a browser would show it at the same address:");
    request(screen, local(forwards, N8N), "GET", "/", &[], "").await?;

    screen.explain(
        "The status daemon ends the machine when its lease is over or nothing uses it.\n\
         Ask for two more hours, as 'soong extend 2' does. It wants its token:",
    );
    let form = [("Authorization", bearer.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    request(screen, local(forwards, STATUS_DAEMON), "POST", "/extend", &form, "hours=2").await
}

/// Asks the language model on the local `port` to finish a function.
async fn ask_model(screen: &Screen, port: u16) -> Result<(), Box<dyn Error>> {
    let prompt = format!(r#"{{"model": "{MODEL}", "prompt": "def fib(n):"}}"#);
    let json = [("Content-Type", "application/json")];
    request(screen, port, "POST", "/v1/completions", &json, &prompt).await
}

/// The local port for the service on `remote`.
fn local(forwards: &[Forward], remote: u16) -> u16 {
    forwards.iter().find(|forward| forward.remote == remote).map_or(remote, |found| found.local)
}

/// Turns the machine off and on again under the tunnel.
async fn lose_link(
    screen: &Screen,
    home: &mut Home,
    machine: &mut Machine,
    forwards: &[Forward],
) -> Result<(), Box<dyn Error>> {
    screen.explain("Now the connection is cut, as by a train in a tunnel or a laptop that sleeps.");
    machine.turn_off().await;
    home.wait_for_state("reconnecting", PATIENCE).await?;
    expect(home.run(screen, STATUS).await?, 0, STATUS)?;
    screen.explain(
        "The local ports stay open, and what connects to them waits. Ask the model\n\
         again; a second later the machine is back.",
    );
    let back = async {
        tokio::time::sleep(PAUSE).await;
        machine.turn_on().await.map_err(Into::into)
    };
    tokio::try_join!(ask_model(screen, local(forwards, SGLANG)), back)?;
    screen.explain("No error, no restart. The same tunnel is up:");
    expect(home.run(screen, STATUS).await?, 0, STATUS)
}

async fn stop(screen: &Screen, home: &mut Home) -> Result<(), Box<dyn Error>> {
    screen.explain("Done for today: close the tunnel, and the ports are your own again.");
    expect(home.run(screen, STOP).await?, 0, STOP)?;
    expect(home.run(screen, STATUS).await?, NOT_RUNNING, STATUS)
}

fn expect(code: i32, wanted: i32, line: &str) -> Result<(), Box<dyn Error>> {
    if code == wanted {
        return Ok(());
    }
    Err(format!("`{line}` ended with exit code {code} instead of {wanted}").into())
}

/// Shows the request as a curl command, makes it, and shows the body of the response.
async fn request(
    screen: &Screen,
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<(), Box<dyn Error>> {
    screen.command(&curl(port, path, headers, body));
    let message = Message::request(method, path, &[headers, &[("Host", "localhost")]].concat(), body);
    let response =
        http::fetch(port, &message).await.map_err(|error| format!("no answer on port {port}: {error}"))?;
    output(&response.text());
    if response.start == "HTTP/1.1 200 OK" {
        return Ok(());
    }
    Err(format!("port {port} answered `{}`", response.start).into())
}

/// The same request as a command line; curl makes it a POST when there is a body.
fn curl(port: u16, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut words = vec![format!("curl http://localhost:{port}{path}")];
    for (name, value) in headers {
        words.push(format!("-H {}", shell_words::quote(&format!("{name}: {value}"))));
    }
    if !body.is_empty() {
        words.push(format!("-d {}", shell_words::quote(body)));
    }
    words.join(" \\\n    ")
}

/// The usual port for each service, or the next one that is free.
async fn choose_ports() -> io::Result<Vec<Forward>> {
    let mut forwards: Vec<Forward> = Vec::new();
    for (service, flag, remote) in [
        ("SGLang", "--sglang-port", SGLANG),
        ("n8n", "--n8n-port", N8N),
        ("the status daemon", "--status-port", STATUS_DAEMON),
    ] {
        let mut local = remote;
        while forwards.iter().any(|forward| forward.local == local) || !is_free(local).await {
            local = local.checked_add(1).ok_or_else(|| io::Error::other("no local port is free"))?;
        }
        forwards.push(Forward { service, flag, remote, local });
    }
    Ok(forwards)
}

/// Returns true if no process uses `port` of localhost, over IPv4 or IPv6. Binding alone does not show that:
/// some systems admit a second listener when the first one listens on all addresses.
async fn is_free(port: u16) -> bool {
    if TcpStream::connect(("localhost", port)).await.is_ok() {
        return false;
    }
    let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await;
    // There are machines without IPv6.
    v4.is_ok() && !v6.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}
