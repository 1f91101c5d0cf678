import type {Trace} from '../model/observation.js'
import {printable} from '../text.js'
import {parseExcludedRecord} from './excluded-record.js'
import {text} from './probe-frames.js'
import type {ProbeSections} from './probe-sections.js'

const PLAN_ID = /[A-Za-z0-9][A-Za-z0-9_.-]{0,80}/

/** What earlier runs of quorate left on the host. A file's words are its first printable bytes. */
export function readTraces(probe: ProbeSections): readonly Trace[] {
  const directories = probe.all
    .filter(section => section.name === 'trace.dir')
    .map(section => ({path: text(section.bytes), content: ''}))
  const files = probe.files('trace.file').map(file => ({path: file.path, content: text(file.bytes)}))
  const traces: Trace[] = []
  for (const {path, content} of [...directories, ...files]) {
    const kind = kindOf(path)
    if (kind === undefined) continue
    const excluded = kind === 'excluded' ? parseExcludedRecord(content) : undefined
    traces.push({
      kind,
      plan: planOf(path, content),
      path: printable(path, 400),
      text: printable(content.trim(), 400),
      ...(excluded === undefined ? {} : {excluded}),
    })
  }
  return traces
}

function kindOf(path: string): Trace['kind'] | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (name.startsWith('raft.fenced-')) return 'fenced'
  if (name.startsWith('zz-quorate-')) return 'hold'
  if (path.includes('/backups/quorate/')) return 'copy'
  if (/(^|\/)excluded/.test(path)) return 'excluded'
  if (/(^|\/)hold/.test(path.slice('/var/lib/quorate'.length))) return 'hold'
  return path.includes('/quorate/') ? 'lock' : undefined
}

/** A lock's first line is the plan; elsewhere the plan's id stands in the content as `"plan":"…"`, else in the name. */
function planOf(path: string, content: string): string {
  if (path.endsWith('.lock')) return printable(content.split('\n')[0] ?? '', 80)
  const inContent = /"plan"\s*:\s*"([^"]{1,80})"|^plan[=: ]+(\S{1,80})/m.exec(content)
  const told = inContent?.[1] ?? inContent?.[2]
  if (told !== undefined) return printable(told, 80)
  const name = path.slice(path.lastIndexOf('/') + 1)
  const id = name.replace(/^raft\.fenced-|^zz-quorate-|^excluded-|\.conf$/g, '')
  return PLAN_ID.exec(id)?.[0] ?? ''
}
