//! `soong.1`: overview and further reading.

use soong::built_in::BUILT_IN;

use super::roff::{Page, escape};
use super::{ENVIRONMENT, FILES};

pub fn page() -> String {
    let mut page = Page::new("soong", 1, "The ports of your rented GPU instance, on localhost");
    page.section("SYNOPSIS");
    page.line("\\fBsoong\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]");
    page.line(".br");
    page.line("\\fBsoong\\fR [\\fB\\-\\-help\\fR | \\fB\\-\\-version\\fR | \\fB\\-\\-list\\fR | \\fB\\-\\-exec\\-path\\fR]");
    page.section("DESCRIPTION");
    page.paragraphs(
        "soong keeps one SSH connection to a rented GPU instance in the background and forwards\n\
        the ports of its services to localhost: the SGLang API on 8000, n8n on 5678, the status\n\
        daemon on 8080, and the services in your configuration. When the link is lost, the ports\n\
        stay open and soong reconnects.\n\n\
        Each command is a program, soong-COMMAND, which soong runs. Programs named soong-NAME on\n\
        your PATH are commands too: extensions, see soong-extensions(7). The [alias] table of the\n\
        configuration defines more.",
    );
    page.section("COMMANDS");
    for (name, summary) in BUILT_IN {
        page.term(name, &format!("{summary}. See soong-{name}(1)."));
    }
    page.term("help", "Show the manual page of a command: soong help tunnel start.");
    page.section("OPTIONS");
    page.term(
        "--color WHEN",
        "Colour output: auto, always or never. Also applies to the program that soong runs.",
    );
    page.term("-h, --help", "Print an overview with all extensions.");
    page.term("-V, --version", "Print the version.");
    page.term("--list", "List all commands, one per line: name, tab, summary.");
    page.term("--exec-path", "Print the directory of soong's programs.");
    page.section("\"EXIT STATUS\"");
    page.paragraphs("The exit code of the command. soong itself exits with:");
    page.term("2", "No such command.");
    page.term("126, 127", "The program of the command cannot be run, or its interpreter is missing.");
    page.section("ENVIRONMENT");
    for (variable, meaning) in ENVIRONMENT {
        page.term(variable, meaning);
    }
    page.term("PATH", "Searched for extensions, after the directory of soong itself.");
    page.section("FILES");
    for (file, meaning) in FILES {
        page.term(file, meaning);
    }
    page.section("EXAMPLES");
    page.example(
        "soong configure         # key, instances or provider, tokens\n\
        soong tunnel start      # returns when requests go through\n\
        curl localhost:8000/v1/models\n\
        soong ssh -- nvidia-smi\n\
        soong tunnel stop",
    );
    page.section("\"SEE ALSO\"");
    for (name, _) in BUILT_IN {
        page.line(&format!(".BR {} (1),", escape(&format!("soong-{name}"))));
    }
    page.line(".BR soong\\-config (5),");
    page.line(".BR soong\\-extensions (7),");
    page.line(".BR ssh (1)");
    page.finish()
}
