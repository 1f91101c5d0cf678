/** Why a text could not be read, and where: lines and columns count from 1, columns in characters. */
export interface ParseProblem {
  readonly message: string
  readonly line: number
  readonly column: number
  readonly file?: string
}

/** The outcome of a parser: a value, or the first problem that stopped it. */
export type Parsed<T> =
  {readonly ok: true; readonly value: T} | {readonly ok: false; readonly problem: ParseProblem}

/** A value that was parsed. */
export function parsed<T>(value: T): Parsed<T> {
  return {ok: true, value}
}

/** A problem at a place. */
export function problemAt<T = never>(
  message: string,
  place: {readonly line: number; readonly column: number},
  file?: string,
): Parsed<T> {
  const problem: ParseProblem = {message, line: place.line, column: place.column}
  return {ok: false, problem: file === undefined ? problem : {...problem, file}}
}

/** Line and column of an offset in a text; an offset beyond the end counts as the end. */
export function placeOf(text: string, offset: number): {readonly line: number; readonly column: number} {
  const end = Math.min(offset, text.length)
  let line = 1
  let start = 0
  for (let at = text.indexOf('\n'); at !== -1 && at < end; at = text.indexOf('\n', at + 1)) {
    line++
    start = at + 1
  }
  return {line, column: Array.from(text.slice(start, end)).length + 1}
}

/** `file:line:column: message`, as compilers write it. */
export function describeProblem(problem: ParseProblem): string {
  const where = `${problem.line}:${problem.column}`
  return `${problem.file === undefined ? '' : `${problem.file}:`}${where}: ${problem.message}`
}
