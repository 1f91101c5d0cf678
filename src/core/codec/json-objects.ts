/**
 * Cuts a JSON array of objects into its objects as the bytes arrive, so that a list of any length is read in constant
 * memory. It looks at brackets and strings only; each object is handed on as text. Answers false, and from then on
 * takes nothing more, when an object is longer than `objectMax` characters.
 */
export function makeObjectSplitter(
  onObject: (text: string) => void,
  objectMax: number,
): (bytes: Uint8Array) => boolean {
  const decoder = new TextDecoder()
  let depth = 0
  let inString = false
  let escaped = false
  let held = ''
  let whole = true
  const take = (text: string): void => {
    let from = 0
    for (let at = 0; at < text.length; at++) {
      const letter = text[at]
      if (inString) {
        if (escaped) escaped = false
        else if (letter === '\\') escaped = true
        else if (letter === '"') inString = false
      } else if (letter === '"') inString = true
      else if (letter === '{') {
        if (depth === 0) from = at
        depth += 1
      } else if (letter === '}') {
        depth -= 1
        if (depth === 0) {
          onObject(held + text.slice(from, at + 1))
          held = ''
        }
      }
    }
    if (depth > 0) held += text.slice(from)
    if (held.length > objectMax) whole = false
  }
  return bytes => {
    if (whole) take(decoder.decode(bytes, {stream: true}))
    return whole
  }
}
