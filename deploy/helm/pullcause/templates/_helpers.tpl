{{- define "pullcause.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "pullcause.fullname" -}}
{{- $name := include "pullcause.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "pullcause.selector" -}}
app.kubernetes.io/name: {{ include "pullcause.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pullcause.labels" -}}
{{ include "pullcause.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "pullcause.metadata" -}}
name: {{ include "pullcause.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "pullcause.labels" . | nindent 2 }}
{{- end }}

{{- define "pullcause.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "pullcause.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "pullcause.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- /* The Secret with the file of headers; empty if there are none. */}}
{{- define "pullcause.headersSecret" -}}
{{- if .Values.otlp.headersSecret }}
{{- .Values.otlp.headersSecret }}
{{- else if .Values.otlp.headers }}
{{- include "pullcause.fullname" . }}-headers
{{- end }}
{{- end }}

{{- /* The agent's configuration: what the values say, and what follows from how the pod is made. */}}
{{- define "pullcause.config" -}}
{{- $receiver := dict }}
{{- if include "pullcause.headersSecret" . }}
{{- $_ := set $receiver "headers_file" "/etc/pullcause/headers/headers" }}
{{- end }}
{{- if .Values.otlp.tls.secret }}
{{- $tls := dict }}
{{- range $key, $file := dict "ca_file" .Values.otlp.tls.ca "cert_file" .Values.otlp.tls.cert "key_file" .Values.otlp.tls.key }}
{{- if $file }}
{{- $_ := set $tls $key (printf "/etc/pullcause/tls/%s" $file) }}
{{- end }}
{{- end }}
{{- $_ := set $receiver "tls" $tls }}
{{- end }}
{{- $otlp := dict }}
{{- if .Values.cubeapm.url }}
{{- $_ := set $otlp "cubeapm" .Values.cubeapm.url }}
{{- end }}
{{- $to := dict "logs" .Values.otlp.logs "metrics" .Values.otlp.metrics }}
{{- range $signal, $values := $to }}
{{- $r := deepCopy $receiver }}
{{- if $values.endpoint }}
{{- $_ := set $r "endpoint" $values.endpoint }}
{{- $_ := set $r "protocol" $values.protocol }}
{{- end }}
{{- if $r }}
{{- $_ := set $otlp $signal $r }}
{{- end }}
{{- end }}
{{- $chart := dict "host_root" "/host" "otlp" $otlp
  "delivery" (dict "state_dir" .Values.stateDir)
  "server" (dict "listen" (printf ":%v" .Values.port)) }}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $chart) }}
{{- end }}

{{- /*
GOMEMLIMIT in bytes: 72 % of the memory limit, which is the agent's own 46 MiB of
64 MiB. The rest is for what is not heap. The downward API can only give the
whole limit, at which the kernel kills before the collector works harder.
*/}}
{{- define "pullcause.gomemlimit" -}}
{{- $limit := toString (dig "memory" "" .Values.resources.limits) }}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 }}
{{- if regexMatch "^[0-9]+([.][0-9]+)?(Ki|Mi|Gi|k|M|G)?$" $limit }}
{{- $unit := regexFind "[A-Za-z]*$" $limit }}
{{- mulf (trimSuffix $unit $limit | float64) (get $units $unit) 0.72 | int64 }}
{{- end }}
{{- end }}

{{- /* The port of an endpoint, for the way out. */}}
{{- define "pullcause.portOf" -}}
{{- $host := regexReplaceAll "^[a-z]+://" . "" | splitList "/" | first }}
{{- $port := regexFind ":[0-9]+$" $host | trimPrefix ":" }}
{{- $port | default (ternary "443" "80" (hasPrefix "https://" .)) }}
{{- end }}
