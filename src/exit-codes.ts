/** The exit codes, in one place; documented in the manual and stable. */
export const EXIT = {
  ok: 0,
  bug: 1,
  usage: 2,
  refused: 3,
  degraded: 4,
  'quorum-lost': 5,
  inconclusive: 6,
  unreachable: 7,
  incomplete: 8,
  unverified: 9,
  declined: 10,
  'verify-failed': 11,
  interrupted: 130,
} as const

export type ExitName = keyof typeof EXIT
