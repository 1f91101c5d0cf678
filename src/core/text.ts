/** Text from hosts, made fit for a terminal and for pasteable commands. */

const DEFAULT_MAX = 300
const ELLIPSIS = '…'

/** C0 and C1 controls, DEL, line separators, bidi marks and overrides, zero-width and tag characters, BOM, lone surrogates. */
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff0-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udfff]/g

const NAMED: Readonly<Record<string, string>> = {'\n': '\\n', '\r': '\\r', '\t': '\\t', '\u001b': '\\e'}

function escapeCharacter(found: string): string {
  const named = NAMED[found]
  if (named !== undefined) return named
  const code = found.codePointAt(0) ?? 0
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`
  return `\\u{${code.toString(16)}}`
}

/**
 * The text on one line, with everything that could move a cursor, change colours or reorder what is read made
 * visible (`\n`, `\e`, `\u{202e}`), at most `max` UTF-16 units long; what is cut off is marked by an ellipsis.
 */
export function printable(text: string, max = DEFAULT_MAX): string {
  // Only so much of the input can show, so only so much is scanned: hostile input may be huge.
  const head = text.length > max + 1 ? text.slice(0, max + 1) : text
  const shown = head.replace(UNPRINTABLE, escapeCharacter)
  if (shown.length <= max) return shown
  return max <= 0 ? '' : `${withoutHalfPair(shown.slice(0, max - 1))}${ELLIPSIS}`
}

/** Bytes as text by `printable`; bytes that are not UTF-8 show as U+FFFD. */
export function printableBytes(bytes: Uint8Array, max = DEFAULT_MAX): string {
  // No character takes more than four bytes, so this many are enough to fill `max`.
  const head = bytes.subarray(0, max * 4 + 4)
  return printable(new TextDecoder('utf-8', {ignoreBOM: true}).decode(head), max)
}

function withoutHalfPair(text: string): string {
  const last = text.charCodeAt(text.length - 1)
  return last >= 0xd800 && last <= 0xdbff ? text.slice(0, -1) : text
}

const PLAIN_ARGUMENT = /^[A-Za-z0-9_@%+=:,./-]+$/

/**
 * One argument as a POSIX shell reads it back, for commands that are shown and pasted. It is never used to run
 * anything. Control characters are written as `$'…'`, which bash, zsh and ksh read, so that a terminal is safe.
 */
export function shellQuote(argument: string): string {
  if (PLAIN_ARGUMENT.test(argument)) return argument
  UNPRINTABLE.lastIndex = 0
  if (!UNPRINTABLE.test(argument)) return `'${argument.replaceAll("'", `'\\''`)}'`
  const escaped = argument.replace(/[\\']/g, '\\$&').replace(UNPRINTABLE, ansiEscape)
  return `$'${escaped}'`
}

function ansiEscape(found: string): string {
  if (found in NAMED) return NAMED[found] ?? ''
  const code = found.codePointAt(0) ?? 0
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`
  return code <= 0xffff
    ? `\\u${code.toString(16).padStart(4, '0')}`
    : `\\U${code.toString(16).padStart(8, '0')}`
}

/** A whole command line for display, each argument quoted as it needs. */
export function shellCommand(argv: readonly string[]): string {
  return argv.map(shellQuote).join(' ')
}
