// A token inside a sentence stands between two characters that nobody sees; see tokens.py.

const TOKEN_BEGIN = "\u2066", TOKEN_END = "\u2069";
const TOKEN = new RegExp(`${TOKEN_BEGIN}([^${TOKEN_END}]*)${TOKEN_END}`);

export function spoken(label) {
  return `${TOKEN_BEGIN}${label}${TOKEN_END}`;
}

export function unmarked(text) {
  return text.replaceAll(TOKEN_BEGIN, "").replaceAll(TOKEN_END, "");
}

// The sentence as nodes: its text, and each token in an element of its own.
export function tokenNodes(text) {
  return text.split(TOKEN).map((part, n) => {
    if (n % 2 === 0) return document.createTextNode(part);
    const token = document.createElement("code");
    token.textContent = part;
    return token;
  });
}
