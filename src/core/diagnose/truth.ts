/** A claim that is known to hold, known not to hold, or not known. An unread fact never counts as `no`. */
export type Truth = 'yes' | 'no' | 'unknown'

/** The truth of a value that may be absent. */
export function truthOf(value: boolean | undefined): Truth {
  return value === undefined ? 'unknown' : value ? 'yes' : 'no'
}
