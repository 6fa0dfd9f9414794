// Package alerts holds the alerts and dashboards in deploy to what an agent really
// exposes: each name and label is in a scrape, and each alert fires on such series and
// keeps quiet on others. Rules are evaluated by Prometheus's own packages, in the way of
// promtool test rules. It has tests only, in a module of its own: Prometheus never
// reaches the agent.
package alerts
