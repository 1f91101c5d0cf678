import type {Reading, Source, Unread, Via} from '../model/reading.js'
import {read, unread} from '../model/reading.js'
import {printable} from '../text.js'
import type {Parsed} from './parse-problem.js'
import {describeProblem} from './parse-problem.js'
import type {FileSection, ProbeSection, SectionStatus} from './probe-frames.js'
import {fileSection, text} from './probe-frames.js'

/** The sections of one run of the probe, with what turns them into readings. */
export class ProbeSections {
  constructor(
    readonly host: string,
    readonly all: readonly ProbeSection[],
  ) {}

  /** Where a fact of this host came from. */
  source(via: Via, what: string): Source {
    return {host: this.host, via, what: printable(what, 200)}
  }

  /** The first section of a name. */
  find(name: string): ProbeSection | undefined {
    return this.all.find(section => section.name === name)
  }

  /** All sections of a name that begin with a path. */
  files(name: string): readonly FileSection[] {
    return this.all.flatMap(section => {
      const file = section.name === name ? fileSection(section) : undefined
      return file === undefined ? [] : [file]
    })
  }

  /** The text of a section; empty when there is none. */
  text(name: string): string {
    const section = this.find(name)
    return section === undefined ? '' : text(section.bytes)
  }

  /** A reading of the one file that a section holds. A section that was not sent is a file that was not looked for. */
  file<T>(name: string, via: Via, parse: (file: FileSection) => Parsed<T>): Reading<T> {
    const section = this.find(name)
    const file = section === undefined ? undefined : fileSection(section)
    if (file === undefined) {
      return unread('not-asked', this.source(via, name), 'No data directory was found on this host.')
    }
    const source = this.source(via, file.path)
    const trouble = troubleOf(file.status)
    if (trouble !== undefined) return unread(trouble.why, source, trouble.detail)
    const result = parse(file)
    return result.ok
      ? read(result.value, source)
      : unread('unparsable', source, describeProblem(result.problem))
  }
}

/** Why a section with this status is no answer; undefined when it is one. */
export function troubleOf(status: SectionStatus): {why: Unread; detail: string} | undefined {
  switch (status) {
    case 0:
      return undefined
    case 'absent':
      return {why: 'absent', detail: 'There is no such file.'}
    case 'odd':
      return {why: 'unparsable', detail: 'It is not a regular file.'}
    case 'cut':
      return {why: 'failed', detail: 'The answer of the host ended early.'}
    default:
      // The file is there and its directory can be searched: what is left is its own mode.
      return {why: 'denied', detail: 'Reading it was not allowed.'}
  }
}
