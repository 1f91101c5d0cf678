import {QuorateError} from '../errors.js'

/** `OLD=NEW` as two addresses. Throws USAGE; what they mean is for the planner to judge. */
export function parseReaddress(word: string): {readonly from: string; readonly to: string} {
  const at = word.indexOf('=')
  const from = word.slice(0, at).trim()
  const to = word.slice(at + 1).trim()
  if (at < 1 || to === '' || to.includes('=')) {
    throw new QuorateError(
      'USAGE',
      `--readdress takes OLD=NEW, such as 10.0.0.4:8300=10.0.9.4:8300, not '${word.slice(0, 80)}'.`,
    )
  }
  return {from, to}
}
