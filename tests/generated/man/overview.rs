//! `soong.1`: what all of it is, and where to read on.

use soong::built_in::BUILT_IN;

use super::roff::{Page, escape};
use super::{ENVIRONMENT, FILES};

pub fn page() -> String {
    let mut page = Page::new("soong", 1, "Make the ports of a rented GPU instance appear on localhost");
    page.section("SYNOPSIS");
    page.line("\\fBsoong\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]");
    page.line(".br");
    page.line("\\fBsoong\\fR [\\fB\\-\\-help\\fR | \\fB\\-\\-version\\fR | \\fB\\-\\-list\\fR | \\fB\\-\\-exec\\-path\\fR]");
    page.section("DESCRIPTION");
    page.paragraphs(
        "You rent GPU instances that can be reached with ssh.\n\
        soong keeps one SSH connection to an instance in the background, and has the\n\
        ports of its services on localhost: the SGLang API on 8000, n8n on 5678, the\n\
        status daemon on 8080, and whatever else the configuration names.\n\
        A connection that breaks is made again while the ports stay open.\n\n\
        Each command is a program of its own, soong-COMMAND, which soong runs.\n\
        Programs of that name from others are commands as well: extensions. An\n\
        [alias] table in the configuration makes further ones.",
    );
    page.section("COMMANDS");
    for (name, summary) in BUILT_IN {
        page.term(name, &format!("{summary}: soong-{name}(1)"));
    }
    page.term("help", "Explain a command: soong help NAME");
    page.section("OPTIONS");
    page.term("--color WHEN", "auto, always or never; as an option of soong itself also for the program it runs, and all that this runs");
    page.term("-h, --help", "print an overview, with all extensions");
    page.term("-V, --version", "print the version");
    page.term("--list", "print the names of all commands, a line each");
    page.term("--exec-path", "print the directory that soong's own programs are in");
    page.section("\"EXIT STATUS\"");
    page.paragraphs("That of the command. Of soong itself:");
    page.term("2", "there is no such command");
    page.term("126, 127", "the program of the command cannot be run, or its interpreter is missing");
    page.section("ENVIRONMENT");
    for (variable, meaning) in ENVIRONMENT {
        page.term(variable, meaning);
    }
    page.term("PATH", "where extensions are looked for, behind the directory of soong itself");
    page.section("FILES");
    for (file, meaning) in FILES {
        page.term(file, meaning);
    }
    page.section("EXAMPLES");
    page.example(
        "soong configure         # asks for your key, your provider, your tokens\n\
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
