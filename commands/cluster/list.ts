import {BaseCommand} from '../../src/base-command.js'
import type {ClusterJson} from '../../src/ui/views/cluster.js'

/** Lists the clusters of this machine. */
export default class ClusterList extends BaseCommand<readonly ClusterJson[]> {
  static override summary = 'List the local clusters of this machine.'
  static override examples = ['<%= config.bin %> <%= command.id %>']

  /** Asks all clusters. */
  async run(): Promise<readonly ClusterJson[]> {
    const {flags} = await this.parse(ClusterList)
    const terminal = this.terminal(flags)
    const [{clusterNames}, {LocalCluster}, {describeCluster}, {renderClusterList}] = await Promise.all([
      import('../../src/cluster/state.js'),
      import('../../src/cluster/cluster.js'),
      import('../../src/cluster/describe.js'),
      import('../../src/ui/views/cluster.js'),
    ])
    const names = await clusterNames(process.env)
    const result = await Promise.all(
      names.map(async name => describeCluster(await LocalCluster.open(process.env, name))),
    )
    return this.show(
      {result, exit: 'ok', screen: theme => renderClusterList(result, {theme, width: terminal.width})},
      terminal,
    )
  }
}
