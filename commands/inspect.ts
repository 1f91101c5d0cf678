import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../src/base-command.js'
import {QuorateError} from '../src/errors.js'
import type {Inspection} from '../src/engine/use-cases/inspect.js'
import {openLocalRaftDirectory} from '../src/local-raft-directory.js'

/** Prints what a raft directory on this machine holds. */
export default class Inspect extends BaseCommand<Inspection | undefined> {
  static override summary = 'Show what a raft directory on this machine holds.'
  static override description =
    'Reads the log store (raft.db or a raft-wal) and the snapshots in place. Takes no lock and writes nothing, so it ' +
    'is safe beside a running server.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> /var/lib/consul',
    '<%= config.bin %> <%= command.id %> /var/lib/consul/raft --deep',
    '<%= config.bin %> <%= command.id %> /var/lib/consul --logs --from 184000 | tail -3',
  ]
  static override args = {
    dir: Args.string({
      required: true,
      description: 'Data directory of a server, or the raft directory in it.',
    }),
  }
  static override flags = {
    logs: Flags.boolean({
      summary: 'Print every entry as a line of JSON: index, term, type, message, bytes, time.',
    }),
    deep: Flags.boolean({summary: 'Check every page of the log, every segment and every snapshot.'}),
    from: Flags.integer({min: 0, dependsOn: ['logs'], helpValue: 'N', summary: 'First index to print.'}),
    to: Flags.integer({min: 0, dependsOn: ['logs'], helpValue: 'N', summary: 'Last index to print.'}),
  }

  /** Reads and shows. */
  async run(): Promise<Inspection | undefined> {
    const {args, flags} = await this.parse(Inspect)
    if (flags.logs) {
      await this.printLogs(args.dir, flags)
      return undefined
    }
    const {inspect, storeProblem} = await import('../src/engine/use-cases/inspect.js')
    const {renderInspection} = await import('../src/ui/views/inspect.js')
    const {directory, clock} = await openLocalRaftDirectory(args.dir)
    const result = await inspect(directory, {deep: flags.deep}, clock)
    const problem =
      storeProblem(result.directory, result.store) ?? storeProblem(result.directory, result.tally)
    const terminal = this.terminal(flags)
    const shown = await this.show(
      {result, screen: theme => renderInspection(result, theme, terminal.width), exit: 'ok'},
      terminal,
    )
    if (problem === undefined) return shown
    throw new QuorateError(problem.code, problem.message, {
      hints: problem.hints,
      details: {...problem.details, inspection: result},
    })
  }

  /** Prints entries as they are read, never faster than whoever reads them. */
  private async printLogs(
    dir: string,
    flags: {readonly from?: number | undefined; readonly to?: number | undefined; readonly deep: boolean},
  ): Promise<void> {
    if (this.jsonEnabled())
      throw new QuorateError('USAGE', '--logs prints lines of JSON already; leave --json out.')
    const {logLine, scanLog, storeProblem} = await import('../src/engine/use-cases/inspect.js')
    const {directory, clock} = await openLocalRaftDirectory(dir)
    const range = {from: flags.from ?? 0, to: flags.to ?? Number.MAX_SAFE_INTEGER, deep: flags.deep}
    const result = await scanLog(directory, range, clock, async records => {
      const lines = records.map(record => `${logLine(record, directory.consul)}\n`).join('')
      return writeOut(lines)
    })
    if (result.kind === 'read') return
    const source = {host: 'local', via: 'store', what: 'log store'} as const
    const problem = storeProblem(directory.path, {...result, source})
    if (problem !== undefined) throw problem
  }
}

/** Writes to stdout and waits until it takes more; false when its reader is gone, as with `| head`. */
async function writeOut(lines: string): Promise<boolean> {
  const out = process.stdout
  if (out.write(lines)) return !out.destroyed
  return new Promise((resolve, reject) => {
    const settle = (end: () => void) => (): void => {
      out.off('drain', drained).off('close', gone).off('error', failed)
      end()
    }
    const drained = settle(() => resolve(true))
    const gone = settle(() => resolve(false))
    const failed = (error: NodeJS.ErrnoException): void =>
      settle(() => (error.code === 'EPIPE' ? resolve(false) : reject(error)))()
    out.on('drain', drained).on('close', gone).on('error', failed)
  })
}
