import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../src/base-command.js'
import {openCluster} from '../../src/cluster-command.js'
import {clusterFlags} from '../../src/cluster-flags.js'
import {printable} from '../../src/core/text.js'

/** What `cluster logs --json` prints. */
export interface ClusterLogsJson {
  readonly member: string
  readonly file: string
  readonly lines: readonly string[]
}

const BYTES_PER_LINE = 400

/** Shows the log of a member. */
export default class ClusterLogs extends BaseCommand<ClusterLogsJson> {
  static override summary = 'Show the end of the log of a member of a local cluster.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> server1',
    '<%= config.bin %> <%= command.id %> server1 --lines 500',
  ]
  static override args = {member: Args.string({required: true, description: 'The member.'})}
  static override flags = {
    ...clusterFlags,
    lines: Flags.integer({default: 40, min: 1, max: 100_000, summary: 'Lines to show.'}),
  }

  /** Reads the end of the log. */
  async run(): Promise<ClusterLogsJson> {
    const {args, flags} = await this.parse(ClusterLogs)
    const cluster = await openCluster(flags.name)
    const [member] = cluster.members([args.member])
    if (member === undefined) throw new Error('a member was named')
    const tail = await cluster.logTail(member, flags.lines * BYTES_PER_LINE)
    const lines = tail.trimEnd().split('\n').slice(-flags.lines)
    const result = {member: member.name, file: cluster.files(member).log, lines}
    return this.show(
      {
        result,
        cluster: cluster.name,
        exit: 'ok',
        screen: () => lines.map(line => printable(line, 2000)).join('\n'),
      },
      this.terminal(flags),
    )
  }
}
