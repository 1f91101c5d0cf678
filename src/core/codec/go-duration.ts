const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}
const WHOLE = /^[-+]?(?:0|(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:ns|us|µs|μs|ms|s|m|h))+$/
const PART = /(\d*\.?\d*)(ns|us|µs|μs|ms|s|m|h)/g

/** A duration as Go prints and reads it (`1m3.06041852s`), in milliseconds; undefined when it is none. */
export function parseGoDuration(text: string): number | undefined {
  if (text.length > 100 || !WHOLE.test(text)) return undefined
  if (/^[-+]?0$/.test(text)) return 0
  let ms = 0
  for (const [, value, unit] of text.matchAll(PART)) ms += Number(value) * (UNITS_MS[unit ?? ''] ?? NaN)
  if (!Number.isFinite(ms)) return undefined
  return text.startsWith('-') ? -ms : ms
}
