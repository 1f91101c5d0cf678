/**
 * Byte strings: texts with one character per byte. A key of the KV store is any bytes; as a byte string it compares
 * in the order of its bytes, takes one byte per character in memory, and no bytes are lost in translation.
 */

const UTF8 = new TextDecoder('utf-8', {ignoreBOM: true})
const ENCODER = new TextEncoder()
const PIECE = 4096

/** The byte string of these bytes. */
export function byteString(bytes: Uint8Array, start = 0, end = bytes.length): string {
  if (isAsciiBytes(bytes, start, end)) return UTF8.decode(bytes.subarray(start, end))
  if (end - start <= PIECE) return String.fromCharCode.apply(null, bytes.subarray(start, end) as never)
  let text = ''
  for (let at = start; at < end; at += PIECE) text += byteString(bytes, at, Math.min(end, at + PIECE))
  return text
}

/** The bytes of a byte string. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

/** The byte string of a text's UTF-8 form. */
export function byteStringOfText(text: string): string {
  return isAscii(text) ? text : byteString(ENCODER.encode(text))
}

/** The text that a byte string is in UTF-8; bytes that are none become U+FFFD, as in Go's JSON. */
export function textOf(bytes: string): string {
  return isAscii(bytes) ? bytes : UTF8.decode(bytesOf(bytes))
}

/** Of what most keys and values are a decoder makes the text in half the time. */
function isAsciiBytes(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! > 0x7f) return false
  return true
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}
