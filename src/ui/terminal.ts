/** What the streams of this process can do. Decided once, from the environment, and passed on as a value. */
export interface Terminal {
  /** Whether stdout shows to a person. */
  readonly interactiveOut: boolean
  /** Whether questions may be asked: stdin and stderr are both terminals. */
  readonly canAsk: boolean
  readonly colour: boolean
  readonly unicode: boolean
  /** Columns to lay screens out for: at most 80 off a terminal. */
  readonly width: number
}

interface Stream {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

/** Decides colour, marks, width and interactivity from streams and environment. */
export function decideTerminal(
  streams: {readonly stdin: Stream; readonly stdout: Stream; readonly stderr: Stream},
  env: Readonly<Record<string, string | undefined>>,
  options: {readonly noColour: boolean; readonly noInput: boolean},
): Terminal {
  const interactiveOut = streams.stdout.isTTY === true
  const forced = (env['FORCE_COLOR'] ?? '') !== '' && env['FORCE_COLOR'] !== '0'
  const refused = options.noColour || (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb'
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || ''
  return {
    interactiveOut,
    canAsk: !options.noInput && streams.stdin.isTTY === true && streams.stderr.isTTY === true,
    colour: !refused && (forced || interactiveOut),
    unicode: /utf-?8/i.test(locale) && env['TERM'] !== 'linux',
    width: interactiveOut ? Math.max(40, Math.min(streams.stdout.columns ?? 80, 120)) : 80,
  }
}
