// Text of others on a terminal.

/** Control characters, line separators, lone surrogates, and what turns the direction of writing. */
const STEERING = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/gu;

/** The text in one line that cannot steer the terminal: such characters by their number. */
export function printable(text: string): string {
  return text.replaceAll(STEERING, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
