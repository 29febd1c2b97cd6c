{{- define "redis.fullname" -}}
{{- default (printf "%s-redis" .Release.Name) .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "redis.selectorLabels" -}}
app: parallax-redis
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "redis.labels" -}}
{{ include "redis.selectorLabels" . }}
app.kubernetes.io/name: redis
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "redis.secret" -}}
{{ default (include "redis.fullname" .) .Values.auth.existingSecret }}
{{- end -}}

{{- define "redis.hasSentinel" -}}
{{- if and (eq .Values.architecture "replication") .Values.sentinel.enabled }}true{{ end -}}
{{- end -}}

{{/* How many servers there are. */}}
{{- define "redis.servers" -}}
{{- if eq .Values.architecture "standalone" -}}1
{{- else if .Values.sentinel.enabled -}}{{ .Values.replica.replicaCount }}
{{- else -}}{{ add1 (int .Values.replica.replicaCount) }}
{{- end -}}
{{- end -}}

{{/* Their names, as they know each other: within their namespace, whichever that is. */}}
{{- define "redis.hosts" -}}
{{- $name := include "redis.fullname" . -}}
{{- $hosts := list -}}
{{- range $index := until (int (include "redis.servers" .)) -}}
{{- $hosts = append $hosts (printf "%s-%d.%s-headless" $name $index $name) -}}
{{- end -}}
{{ join " " $hosts }}
{{- end -}}

{{/* What both containers have to know. */}}
{{- define "redis.env" -}}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: REDIS_HOST
  value: $(POD_NAME).{{ include "redis.fullname" . }}-headless
- name: REDIS_HOSTS
  value: {{ include "redis.hosts" . | quote }}
- name: REDIS_SERVER
  value: {{ .Values.image.server }}
- name: REDIS_CLI
  value: {{ .Values.image.cli }}
{{- if include "redis.hasSentinel" . }}
- name: SENTINEL_MASTER
  value: {{ .Values.sentinel.masterSet }}
{{- end }}
{{- if .Values.auth.enabled }}
- name: REDIS_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ include "redis.secret" . }}, key: redis-password } }
{{- end }}
{{- end -}}
