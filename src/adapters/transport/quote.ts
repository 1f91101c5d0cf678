import {TransportError} from '../../ports/transport.js'

/**
 * An argument array as one line for a POSIX shell. It is the only place where arguments become shell text; every
 * transport that has to pass through a login shell calls it exactly once. Each argument is single-quoted as a whole,
 * so nothing in it is ever expanded. NUL cannot be part of an argument and is refused.
 */
export function quoteArgv(argv: readonly string[]): string {
  return argv.map(quoteArgument).join(' ')
}

function quoteArgument(argument: string): string {
  if (argument.includes('\0')) throw new TransportError('unsupported', 'An argument holds a NUL byte.')
  if (/^[A-Za-z0-9_@%+:,./-]+$/.test(argument)) return argument
  return `'${argument.replaceAll("'", "'\\''")}'`
}
