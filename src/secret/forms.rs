//! The forms in which a secret may come back: what files, shells, URLs and logs make of it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// A shorter line of a longer secret, such as `}`, is an everyday word.
const SHORTEST: usize = 4;

/// Everything to mask for one secret.
pub(super) fn of(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    if secret.len() >= SHORTEST {
        let whole = [secret, secret.trim_end_matches('\n')];
        forms.extend(whole.into_iter().flat_map(escaped));
        forms.extend(encoded(secret.as_bytes()));
    }
    let lines = secret
        .lines()
        .map(str::trim)
        .filter(|line| line.len() >= SHORTEST);
    forms.extend(lines.flat_map(escaped));
    forms.retain(|form| !form.is_empty());
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// As it stands in text of other languages.
fn escaped(text: &str) -> Vec<String> {
    let inner = |quoted: String| quoted[1..quoted.len() - 1].to_owned();
    let json = inner(serde_json::to_string(text).unwrap_or_else(|_| format!("\"{text}\"")));
    let url = percent(text);
    vec![
        text.to_owned(),
        html_safe(&json),
        ascii(&html_safe(&json)),
        ascii(&json),
        inner(format!("{text:?}")),
        text.replace('\'', r"'\''"),
        url.replace("%20", "+"),
        url,
        json,
    ]
}

/// JSON as Go writes it, which keeps it apart from HTML.
fn html_safe(json: &str) -> String {
    json.replace('<', r"\u003c")
        .replace('>', r"\u003e")
        .replace('&', r"\u0026")
}

/// JSON in which every other character than ASCII is escaped.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

/// Every byte but the unreserved ones of RFC 3986 as `%XX`.
fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// As base64 and hexadecimal digits, by itself and in the middle of something longer.
fn encoded(bytes: &[u8]) -> Vec<String> {
    let mut forms = vec![
        hex::encode(bytes),
        hex::encode_upper(bytes),
        STANDARD.encode(bytes),
        STANDARD_NO_PAD.encode(bytes),
    ];
    forms.extend((0..3).map(|before| within(bytes, before)));
    let url_safe: Vec<_> = forms
        .iter()
        .map(|form| form.replace('+', "-").replace('/', "_"))
        .collect();
    forms.extend(url_safe);
    forms
}

/// The characters of base64 that these bytes alone decide when `before` bytes (of 3) come before them.
fn within(bytes: &[u8], before: usize) -> String {
    let mut padded = vec![0; before];
    padded.extend_from_slice(bytes);
    let text = STANDARD_NO_PAD.encode(&padded);
    // A character has six bits. The first that holds none of what comes before:
    let first = (before * 8).div_ceil(6);
    // The last one also holds bits of what follows, unless the bytes end where a character does.
    let last = text.len() - usize::from(!padded.len().is_multiple_of(3));
    text.get(first..last).unwrap_or_default().to_owned()
}
