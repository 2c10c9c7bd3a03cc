//! The page of the daemon, in Chromium, through the tunnel.

use super::{Machine, token};
use crate::support::browser::Browser;
use crate::support::daemon::start;
use crate::support::ports;

const FORM_IS_SHOWN: &str = "!document.getElementById('login').hidden";
const DATA_IS_SHOWN: &str =
    "!document.getElementById('main').hidden && document.getElementById('facts').rows.length";

/// The text of the row `name` of the table.
fn fact(name: &str) -> String {
    format!(
        "([...document.getElementById('facts').rows].find((row) => row.cells[0].textContent === '{name}') \
         || {{cells: ['', {{textContent: ''}}]}}).cells[1].textContent"
    )
}

fn text(id: &str) -> String {
    format!("document.getElementById('{id}').textContent")
}

/// Returns a guarded machine, a browser that shows the form of its page through the tunnel, and the page's URL.
fn open_page() -> (Machine, Browser, String) {
    let machine = Machine::new();
    machine.install().stdout_has("now guards").run();
    start(&machine.sandbox).run();
    let browser = Browser::start();
    let url = machine.sandbox.url(2, "");
    browser.open(&url);
    browser.wait_for(FORM_IS_SHOWN);
    (machine, browser, url)
}

fn log_in(browser: &Browser, token: &str) {
    browser.type_into("#token", token);
    browser.click("#login button");
}

#[test]
fn the_page_works_in_a_browser_through_the_tunnel() {
    let (machine, browser, _) = open_page();
    assert_eq!(browser.run("return document.getElementById('main').hidden"), true);
    log_in(&browser, "wrong");
    browser.wait_for(&format!("{} === 'The token is not accepted.'", text("error")));
    browser.wait_for(FORM_IS_SHOWN);
    assert_eq!(browser.run("return sessionStorage.length"), 0);
    // Two complaints of the browser itself about the answer 401.
    let complaints = browser.console();
    assert!(complaints.iter().all(|message| message.contains("401 (Unauthorized)")), "{complaints:?}");

    log_in(&browser, &token(&machine.sandbox));
    browser.wait_for(DATA_IS_SHOWN);
    browser.wait_for(&format!("{} === 'a1b2c3d4: running'", text("name")));
    // The instance's SGLang is a stand-in without metrics.
    browser.wait_for(&format!(
        "/^in use: model servers unknown.*; the lease ends it in /.test({})",
        text("why")
    ));
    browser.wait_for(&format!("/in (4 h 0|3 h 5.) min$/.test({})", fact("Ends")));
    browser.click("button[data-body='hours=1']");
    browser.wait_for(&format!("/in (5 h 0|4 h 5.) min$/.test({})", fact("Ends")));
    browser.click("button[data-body='hours=4']");
    browser.wait_for(&format!("{} === 'the hard limit allows no more'", text("error")));
    browser.wait_for(&format!("/in (8 h 0|7 h 5.) min$/.test({})", fact("Ends")));
    assert_eq!(browser.run(&format!("return {}", fact("Kept until"))), "");
    browser.click("button[data-path='/keep']");
    browser.wait_for(&format!("{} !== ''", fact("Kept until")));
    browser.click("button[data-path='/activity']");
    browser.wait_for("[...document.querySelectorAll('button')].every((button) => !button.disabled)");
    assert_eq!(browser.console(), Vec::<String>::new());

    machine.sandbox.tunnel(["stop"]).stdout_has("Stopped tunnel").run();
    browser.click("button[data-path='/activity']");
    browser.wait_for(&format!("{}.startsWith('The status daemon does not answer.')", text("error")));
    start(&machine.sandbox).run();
    browser.click("button[data-path='/activity']");
    browser.wait_for("document.getElementById('error').hidden");
}

#[test]
fn the_page_keeps_the_token_for_its_tab_and_lets_nothing_foreign_in() {
    let (machine, browser, url) = open_page();
    log_in(&browser, &token(&machine.sandbox));
    browser.wait_for(DATA_IS_SHOWN);
    let stored =
        browser.run("return [sessionStorage.length, localStorage.length, document.cookie, location.href]");
    assert_eq!(stored, serde_json::json!([1, 0, "", url]));
    let loaded = browser.run("return performance.getEntriesByType('resource').map((entry) => entry.name)");
    assert!(loaded.as_array().unwrap().iter().all(|name| *name == *format!("{url}status")), "{loaded}");
    // A reload asks no more, another tab does.
    browser.open(&url);
    browser.wait_for(DATA_IS_SHOWN);
    let foreign = ports::free();
    browser.run(&format!(
        "window.refused = [];
         document.addEventListener('securitypolicyviolation', (event) => refused.push(event.effectiveDirective));
         const script = document.createElement('script');
         script.textContent = 'window.foreign = true';
         document.body.append(script);
         const image = document.createElement('img');
         image.src = 'http://127.0.0.1:{foreign}/';
         document.body.append(image);
         const style = document.createElement('style');
         style.textContent = 'body {{ color: red }}';
         document.body.append(style);
         fetch('http://127.0.0.1:{foreign}/').catch(() => 0);"
    ));
    browser.wait_for("refused.toSorted().join(' ') === 'connect-src img-src script-src-elem style-src-elem'");
    assert_eq!(browser.run("return window.foreign === undefined"), true);
    browser.open_tab();
    browser.open(&url);
    browser.wait_for(FORM_IS_SHOWN);
}
