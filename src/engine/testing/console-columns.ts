/** Columns of the console as real PgBouncers 1.16 to 1.26 sent them; versions with the same columns share an entry. */
export const COLUMNS: readonly {
  readonly command: 'POOLS' | 'STATS' | 'CLIENTS';
  readonly versions: readonly string[];
  readonly columns: string;
}[] = [
  {
    command: 'POOLS',
    versions: ['1.16', '1.17'],
    columns:
      'database user cl_active cl_waiting cl_cancel_req sv_active sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode',
  },
  {
    command: 'POOLS',
    versions: ['1.18', '1.19', '1.20', '1.21', '1.22', '1.23'],
    columns:
      'database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode',
  },
  {
    command: 'POOLS',
    versions: ['1.24', '1.25', '1.26'],
    columns:
      'database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode load_balance_hosts',
  },
  {
    command: 'STATS',
    versions: ['1.16', '1.17', '1.18', '1.19', '1.20', '1.21', '1.22'],
    columns:
      'database total_xact_count total_query_count total_received total_sent total_xact_time total_query_time total_wait_time avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time avg_query_time avg_wait_time',
  },
  {
    command: 'STATS',
    versions: ['1.23'],
    columns:
      'database total_server_assignment_count total_xact_count total_query_count total_received total_sent total_xact_time total_query_time total_wait_time avg_server_assignment_count avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time avg_query_time avg_wait_time',
  },
  {
    command: 'STATS',
    versions: ['1.24', '1.25'],
    columns:
      'database total_server_assignment_count total_xact_count total_query_count total_received total_sent total_xact_time total_query_time total_wait_time total_client_parse_count total_server_parse_count total_bind_count avg_server_assignment_count avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time avg_query_time avg_wait_time avg_client_parse_count avg_server_parse_count avg_bind_count',
  },
  {
    command: 'STATS',
    versions: ['1.26'],
    columns:
      'database total_server_assignment_count total_xact_count total_query_count total_received total_sent total_xact_time total_query_time total_wait_time total_client_parse_count total_server_parse_count total_bind_count total_client_login_count avg_server_assignment_count avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time avg_query_time avg_wait_time avg_client_parse_count avg_server_parse_count avg_bind_count avg_client_login_count',
  },
  {
    command: 'CLIENTS',
    versions: ['1.16', '1.17'],
    columns:
      'type user database state addr port local_addr local_port connect_time request_time wait wait_us close_needed ptr link remote_pid tls',
  },
  {
    command: 'CLIENTS',
    versions: ['1.18', '1.19', '1.20'],
    columns:
      'type user database state addr port local_addr local_port connect_time request_time wait wait_us close_needed ptr link remote_pid tls application_name',
  },
  {
    command: 'CLIENTS',
    versions: ['1.21', '1.22'],
    columns:
      'type user database state addr port local_addr local_port connect_time request_time wait wait_us close_needed ptr link remote_pid tls application_name prepared_statements',
  },
  {
    command: 'CLIENTS',
    versions: ['1.23'],
    columns:
      'type user database replication state addr port local_addr local_port connect_time request_time wait wait_us close_needed ptr link remote_pid tls application_name prepared_statements',
  },
  {
    command: 'CLIENTS',
    versions: ['1.24', '1.25', '1.26'],
    columns:
      'type user database replication state addr port local_addr local_port connect_time request_time wait wait_us close_needed ptr link remote_pid tls application_name prepared_statements id',
  },
];
