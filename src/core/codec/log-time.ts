const STAMP =
  /(\d{4})[-/](\d\d)[-/](\d\d)[T _](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?:(Z)|([+-])(\d\d):?(\d\d))?/
/** TAI64N, as svlogd and multilog write it: 2^62 + 10 is the second 0 of 1970. */
const TAI64N = /^@4([0-9a-f]{15})([0-9a-f]{8})/
/** A timestamp is looked for only so far into a line. */
const PREFIX_MAX = 200

/**
 * When a line was logged, in milliseconds since 1970: by the first date in it, which is the log manager's where there
 * is one. A date without a zone is local time of its host, `utcOffsetMs` ahead of UTC.
 */
export function logLineTime(line: string, utcOffsetMs = 0): number | undefined {
  const tai = TAI64N.exec(line)
  if (tai !== null)
    return (parseInt(tai[1] ?? '', 16) - 10) * 1000 + Math.floor(parseInt(tai[2] ?? '', 16) / 1e6)
  const stamp = STAMP.exec(line.length > PREFIX_MAX ? line.slice(0, PREFIX_MAX) : line)
  if (stamp === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', zulu, sign, zoneHours, zoneMinutes] = stamp
  const local = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
    Number(fraction.slice(0, 3).padEnd(3, '0')),
  )
  if (zulu !== undefined) return local
  if (sign === undefined) return local - utcOffsetMs
  const zone = (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000
  return sign === '-' ? local + zone : local - zone
}
