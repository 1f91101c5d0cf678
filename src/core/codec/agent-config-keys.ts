/** What a setting holds. `duration` is a text such as `30s`; `texts` a list; `map` an object of texts. */
export type SettingKind = 'text' | 'number' | 'flag' | 'duration' | 'texts' | 'map'

const keys = (kind: SettingKind, names: string): [string, SettingKind][] =>
  names
    .trim()
    .split(/\s+/)
    .map(name => [name, kind])

/** Settings that the agent acts on, by their path in a config file, as Consul names them (agent/config/config.go). */
export const AGENT_SETTINGS: ReadonlyMap<string, SettingKind> = new Map([
  ...keys(
    'text',
    `addresses.http addresses.rpc advertise_addr advertise_addr_ipv4 advertise_addr_ipv6 advertise_addr_wan
     advertise_addr_wan_ipv4 advertise_addr_wan_ipv6 bind_addr client_addr data_dir datacenter encrypt log_file
     log_level node_id node_name pid_file serf_lan_bind serf_wan_bind unix_sockets.group
     unix_sockets.mode unix_sockets.user`,
  ),
  ...keys(
    'number',
    `autopilot.max_trailing_logs autopilot.min_quorum bootstrap_expect gossip_lan.gossip_nodes
     gossip_lan.retransmit_mult gossip_lan.suspicion_mult gossip_wan.gossip_nodes gossip_wan.retransmit_mult
     gossip_wan.suspicion_mult limits.http_max_conns_per_client limits.kv_max_value_size limits.txn_max_req_len
     performance.raft_multiplier ports.dns ports.grpc ports.grpc_tls ports.http ports.https ports.rpc ports.serf_lan ports.serf_wan ports.server
     protocol raft_protocol raft_snapshot_threshold raft_trailing_logs retry_max retry_max_wan`,
  ),
  ...keys(
    'flag',
    `autopilot.cleanup_dead_servers bootstrap disable_host_node_id disable_keyring_file encrypt_verify_incoming
     encrypt_verify_outgoing leave_on_terminate log_json non_voting_server read_replica rejoin_after_leave server
     skip_leave_on_interrupt`,
  ),
  ...keys(
    'duration',
    `autopilot.last_contact_threshold autopilot.server_stabilization_time default_query_time
     gossip_lan.gossip_interval gossip_lan.probe_interval gossip_lan.probe_timeout gossip_wan.gossip_interval
     gossip_wan.probe_interval gossip_wan.probe_timeout max_query_time performance.leave_drain_time
     raft_snapshot_interval reconnect_timeout reconnect_timeout_wan retry_interval retry_interval_wan`,
  ),
  ...keys('texts', 'retry_join retry_join_wan start_join start_join_wan'),
  ...keys('map', 'node_meta'),
])

/** Settings of Consul that would promise protection that this agent does not give. On, they are an error. */
export const REFUSED_SETTINGS: ReadonlyMap<string, string> = new Map([
  ...['acl.enabled', 'acl_datacenter'].map(key => [key, 'this agent has no access control'] as const),
  ...[
    'verify_incoming',
    'verify_incoming_https',
    'verify_incoming_rpc',
    'verify_outgoing',
    'verify_server_hostname',
    'tls.defaults.verify_incoming',
    'tls.defaults.verify_outgoing',
    'tls.https.verify_incoming',
    'tls.internal_rpc.verify_incoming',
    'tls.internal_rpc.verify_outgoing',
    'tls.internal_rpc.verify_server_hostname',
    'auto_encrypt.tls',
    'auto_encrypt.allow_tls',
    'auto_config.enabled',
  ].map(key => [key, 'this agent speaks no TLS'] as const),
])

/**
 * Settings of Consul that change nothing here: they are taken with a warning, whatever stands in them. A block stands
 * for all that is in it and is not named above.
 */
export const UNUSED_SETTINGS: ReadonlySet<string> = new Set(
  `acl acl_agent_master_token acl_agent_token acl_default_policy acl_disabled_ttl acl_down_policy
   acl_enable_key_list_policy acl_enforce_version_8 acl_master_token acl_replication_token acl_token acl_ttl
   addresses.dns addresses.grpc addresses.grpc_tls addresses.https advertise_addrs advertise_reconnect_timeout
   ae_interval allow_write_http_from alt_domain atlas_acl_token atlas_endpoint atlas_infrastructure atlas_join
   atlas_token audit auto_config auto_encrypt auto_reload_config autopilot.disable_upgrade_migration
   autopilot.redundancy_zone_tag autopilot.upgrade_version_tag ca_file ca_path cache cert_file check
   check_deregister_interval_min check_output_max_size check_reap_interval check_update_interval checks cloud
   config_entries connect default_intentions_policy disable_anonymous_signature disable_coordinates
   disable_http_unprintable_char_filter disable_remote_exec disable_update_check discard_check_output
   discovery_max_stale dns_config dogstatsd_addr dogstatsd_tags domain enable_acl_replication
   enable_agent_tls_for_checks enable_central_service_config enable_debug enable_local_script_checks
   enable_script_checks enable_syslog experiments http_api_response_headers http_config key_file license_path limits
   locality log_rotate_bytes log_rotate_duration log_rotate_max_files partition peering
   performance.grpc_keepalive_interval performance.grpc_keepalive_timeout performance.rpc_hold_timeout
   ports.expose_max_port ports.expose_min_port ports.proxy_max_port ports.proxy_min_port ports.sidecar_max_port
   ports.sidecar_min_port primary_datacenter primary_gateways primary_gateways_interval raft_boltdb raft_logstore
   recursor recursors reporting rpc segment segments serf_lan_allowed_cidrs serf_wan_allowed_cidrs server_name
   server_rejoin_age_max service services session_ttl_min statsd_addr statsite_addr statsite_prefix
   sync_coordinate_interval_min sync_coordinate_rate_target syslog_facility tagged_addresses telemetry tls
   tls_cipher_suites tls_min_version tls_prefer_server_cipher_suites translate_wan_addrs ui ui_config ui_content_path
   ui_dir use_streaming_backend watches xds`.split(/\s+/),
)

/** Whether a path names a block that holds settings named above. */
export function isBlock(path: string): boolean {
  return BLOCKS.has(path)
}

const BLOCKS: ReadonlySet<string> = new Set(
  [...AGENT_SETTINGS.keys(), ...REFUSED_SETTINGS.keys(), ...UNUSED_SETTINGS].flatMap(path => {
    const parts = path.split('.')
    return parts.slice(0, -1).map((_, at) => parts.slice(0, at + 1).join('.'))
  }),
)
