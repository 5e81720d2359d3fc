//! Words out of the HTML with which Jenkins answers when something is wrong.

/// Longest text that is taken from a page.
const LONGEST: usize = 600;

/// The text of a page's body: tags taken away, blanks put together.
pub(super) fn words(html: &str) -> String {
    let body = html.split_once("<body").map_or(html, |(_, rest)| rest);
    let body = body.split_once('>').map_or(body, |(_, rest)| rest);
    let mut text = String::new();
    for piece in body.split('<') {
        // What stands before the first tag has no `>`.
        text.push_str(piece.split_once('>').map_or(piece, |(_, rest)| rest));
        text.push(' ');
    }
    let text = unescaped(&text);
    let text: Vec<_> = text.split_whitespace().collect();
    shortened(&text.join(" "))
}

/// The text of the first `<pre>`, where stack traces stand.
pub(super) fn preformatted(html: &str) -> Option<String> {
    let (_, rest) = html.split_once("<pre")?;
    let (_, rest) = rest.split_once('>')?;
    Some(unescaped(rest.split("</pre>").next()?).trim().to_owned())
}

fn unescaped(text: &str) -> String {
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#039;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (entity, character)| {
        text.replace(entity, character)
    })
}

pub(super) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_a_sentence() {
        let page = "<html><head><title>Error</title></head><body class='x'><h1>Error</h1>\n<p>A job already exists with the name &#39;a&#39;</p></body></html>";
        assert_eq!(words(page), "Error A job already exists with the name 'a'");
        assert_eq!(words("plain"), "plain");
    }

    #[test]
    fn a_stack_trace_is_found() {
        let page = "<body><h1>Error</h1><pre class=\"p\">a &lt;b&gt;\n\tat c</pre></body>";
        assert_eq!(preformatted(page).as_deref(), Some("a <b>\n\tat c"));
        assert_eq!(preformatted("<body>none</body>"), None);
    }
}
