import {BaseCommand} from '../../src/base-command.js'
import {clusterFlags} from '../../src/cluster-flags.js'

/** What `cluster down --json` prints. */
export interface ClusterDownJson {
  readonly name: string
  readonly ended: readonly string[]
  readonly existed: boolean
}

/** Takes a cluster down. */
export default class ClusterDown extends BaseCommand<ClusterDownJson> {
  static override summary = 'End a local cluster and remove everything of it.'
  static override description =
    'Its processes are killed and its files are gone afterwards, whatever state it was in. Journals of plans stay.'
  static override examples = ['<%= config.bin %> <%= command.id %>']
  static override flags = clusterFlags

  /** Takes it down. */
  async run(): Promise<ClusterDownJson> {
    const {flags} = await this.parse(ClusterDown)
    const {clusterDown} = await import('../../src/cluster/up-down.js')
    const result = await clusterDown(process.env, flags.name)
    const words = result.existed
      ? `${result.name} is down: ${result.ended.length} ${result.ended.length === 1 ? 'process' : 'processes'} ended, nothing is left.`
      : `There is no local cluster '${result.name}'.`
    return this.show({result, cluster: result.name, exit: 'ok', screen: () => words}, this.terminal(flags))
  }
}
