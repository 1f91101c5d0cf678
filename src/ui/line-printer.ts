import {printable} from '../core/text.js'

const LINE_MAX = 8192

/** Prints the lines of a stream of bytes, each fit for a terminal, and ends the process when nobody reads them. */
export function makeLinePrinter(out: NodeJS.WriteStream): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder()
  let rest = ''
  out.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
  })
  return bytes => {
    const lines = (rest + decoder.decode(bytes, {stream: true})).split('\n')
    rest = (lines.pop() ?? '').slice(0, LINE_MAX)
    const shown = lines.map(line => `${printable(line.replace(/\r$/, ''), LINE_MAX)}\n`)
    if (shown.length > 0) out.write(shown.join(''))
  }
}
