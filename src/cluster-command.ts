// What the cluster commands share: opening the cluster, naming members, showing how it stands afterwards.
import {BaseCommand} from './base-command.js'
import type {LocalCluster} from './cluster/cluster.js'
import type {ClusterMember} from './cluster/state.js'
import {QuorateError} from './errors.js'
import type {ClusterJson} from './ui/views/cluster.js'

/** The cluster that `--name` names. Throws CLUSTER_UNKNOWN. */
export async function openCluster(name: string): Promise<LocalCluster> {
  const [{LocalCluster: Opener}, {noteCommand}] = await Promise.all([
    import('./cluster/cluster.js'),
    import('./cluster/command-record.js'),
  ])
  const cluster = await Opener.open(process.env, name)
  noteCommand(cluster.directory)
  return cluster
}

/** How an agent of a local cluster is started: this program, by the node that runs it now. */
export async function ownAgent(): Promise<{
  readonly command: readonly string[]
  readonly partitions: boolean
}> {
  const {fileURLToPath} = await import('node:url')
  return {
    command: [process.execPath, fileURLToPath(new URL('./cli.js', import.meta.url)), 'agent'],
    partitions: true,
  }
}

/** The members that arguments and `--all` name. Throws USAGE where they name none. */
export function chosenMembers(
  cluster: LocalCluster,
  words: readonly string[],
  flags: {readonly all?: boolean},
): readonly ClusterMember[] {
  if (flags.all === true) return cluster.state.members
  if (words.length > 0) return cluster.members(words)
  throw new QuorateError('USAGE', 'Which members? Name them, or say --all.', {
    hints: [cluster.state.members.map(member => member.name).join(' ')],
  })
}

/** A command that does something to members and shows the cluster as it stands afterwards. */
export abstract class MembersCommand extends BaseCommand<ClusterJson> {
  /** Does it; what comes back stands above the table, if anything does. */
  protected async act(
    input: {
      readonly argv: readonly string[]
      readonly flags: {
        readonly name: string
        readonly all?: boolean
        readonly color?: boolean
        readonly input?: boolean
      }
    },
    deed: (cluster: LocalCluster, members: readonly ClusterMember[]) => Promise<string>,
  ): Promise<ClusterJson> {
    const terminal = this.terminal(input.flags)
    const cluster = await openCluster(input.flags.name)
    const said = await deed(cluster, chosenMembers(cluster, input.argv, input.flags))
    return this.showCluster(cluster, said, terminal)
  }

  protected async showCluster(
    cluster: LocalCluster,
    said: string,
    terminal: ReturnType<BaseCommand<ClusterJson>['terminal']>,
  ): Promise<ClusterJson> {
    const [{describeCluster}, {renderClusterStatus}] = await Promise.all([
      import('./cluster/describe.js'),
      import('./ui/views/cluster.js'),
    ])
    const result = await describeCluster(cluster)
    return this.show(
      {
        result,
        cluster: cluster.name,
        exit: 'ok',
        screen: theme => {
          const table = renderClusterStatus(result, {theme, width: terminal.width})
          return said === '' ? table : `${said}\n\n${table}`
        },
      },
      terminal,
    )
  }
}
