//! Commands in the documents are commands of this program.

use clap::Parser as _;

use super::Cli;

/// The lines of a document's code blocks that call this program, with the comments behind them cut off.
fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    let lines = blocks.flat_map(|block| block.lines().skip(1));
    let calls = lines.filter_map(|line| {
        let line = line.trim_start_matches("$ ");
        line.starts_with("ci-bootstrap ").then_some(line)
    });
    calls
        .map(|line| line.split(" # ").next().unwrap_or_default().trim_end().to_owned())
        .collect()
}

/// What the shell takes out of a line before the program sees it.
fn arguments(command: &str) -> Vec<String> {
    let words = shlex::split(command).unwrap_or_default();
    let ends = |word: &String| ["|", ">", "<", "&&", ";"].contains(&word.as_str());
    words.into_iter().take_while(|word| !ends(word)).collect()
}

#[test]
fn every_command_in_the_documents_is_understood() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec![root.join("README.md")];
    let docs = fs_err::read_dir(root.join("docs"))
        .into_iter()
        .flatten()
        .flatten();
    documents.extend(
        docs.map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "md")),
    );
    let mut seen = 0;
    for document in documents {
        let text = fs_err::read_to_string(&document).unwrap_or_default();
        // Help texts quote usages, which are no commands.
        for command in commands(&text)
            .iter()
            .filter(|command| !command.contains(['[', '<', '…']))
        {
            seen += 1;
            let parsed = Cli::try_parse_from(arguments(command));
            assert!(
                parsed.is_ok(),
                "{}: `{command}`: {}",
                document.display(),
                parsed.err().map(|error| error.to_string()).unwrap_or_default()
            );
        }
    }
    assert!(seen > 30, "only {seen} commands were found");
}
