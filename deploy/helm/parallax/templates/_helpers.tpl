{{/* What names begin with. */}}
{{- define "parallax.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "parallax.controlPlane" -}}
{{ include "parallax.fullname" . }}-control-plane
{{- end -}}

{{- define "parallax.headless" -}}
{{ include "parallax.controlPlane" . }}-headless
{{- end -}}

{{/* What selects the nodes; it never changes. `app` is what the affinity names. */}}
{{- define "parallax.selectorLabels" -}}
app: parallax-control-plane
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "parallax.labels" -}}
{{ include "parallax.selectorLabels" . }}
app.kubernetes.io/name: parallax
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "parallax.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "parallax.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{- define "parallax.image" -}}
{{- $image := .Values.controlPlane.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default .Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{- define "parallax.tokensSecret" -}}
{{ default (printf "%s-tokens" (include "parallax.fullname" .)) .Values.controlPlane.auth.existingSecret }}
{{- end -}}

{{/* The name of the subchart's objects. */}}
{{- define "parallax.redis" -}}
{{ default (printf "%s-redis" .Release.Name) .Values.redis.fullnameOverride }}
{{- end -}}

{{/* The Secret with the password of Redis; empty without one. */}}
{{- define "parallax.redisSecret" -}}
{{- if .Values.redis.enabled -}}
{{- if .Values.redis.auth.enabled -}}
{{ default (include "parallax.redis" .) .Values.redis.auth.existingSecret }}
{{- end -}}
{{- else -}}
{{ .Values.externalRedis.existingSecret }}
{{- end -}}
{{- end -}}

{{/* Where the Redis of this chart is, as the configuration says it. */}}
{{- define "parallax.redisConfig" -}}
{{- $name := include "parallax.redis" . -}}
{{- $redis := .Values.redis -}}
{{- if and (eq $redis.architecture "replication") $redis.sentinel.enabled -}}
sentinel:
  master: {{ $redis.sentinel.masterSet }}
  nodes:
    {{- range $index := until (int $redis.replica.replicaCount) }}
    - {{ $name }}-{{ $index }}.{{ $name }}-headless:26379
    {{- end }}
{{- else -}}
url: redis://{{ $name }}-primary:6379
{{- end -}}
{{- end -}}

{{/* parallax.config.yaml. What the user wrote beats what the chart knows. */}}
{{- define "parallax.config" -}}
{{- $config := deepCopy .Values.controlPlane.config -}}
{{- $own := dict "patterns" (dict "directory" "/etc/parallax/patterns") -}}
{{- if .Values.redis.enabled -}}
{{- $where := include "parallax.redisConfig" . | fromYaml -}}
{{- $_ := set $own "redis" $where -}}
{{- end -}}
{{- toYaml (mergeOverwrite $own $config) -}}
{{- end -}}

{{/* Seconds of a duration of the configuration: a number is milliseconds. */}}
{{- define "parallax.seconds" -}}
{{- $text := toString . -}}
{{- if hasSuffix "ms" $text -}}{{ divf (trimSuffix "ms" $text) 1000 }}
{{- else if hasSuffix "s" $text -}}{{ trimSuffix "s" $text }}
{{- else if hasSuffix "m" $text -}}{{ mulf (trimSuffix "m" $text) 60 }}
{{- else if hasSuffix "h" $text -}}{{ mulf (trimSuffix "h" $text) 3600 }}
{{- else -}}{{ divf $text 1000 }}
{{- end -}}
{{- end -}}

{{/* Refuses what can't work, before anything is installed. */}}
{{- define "parallax.check" -}}
{{- $cp := .Values.controlPlane -}}
{{- $ha := dig "highAvailability" "enabled" false $cp.config -}}
{{- $redisConfig := dig "redis" dict $cp.config -}}
{{- if and $ha (not .Values.redis.enabled) (not .Values.externalRedis.existingSecret) (not $redisConfig) -}}
{{- fail "high availability needs Redis: set redis.enabled, or say in controlPlane.config.redis or externalRedis.existingSecret where yours is" -}}
{{- end -}}
{{- if and .Values.redis.enabled (or (hasKey $redisConfig "url") (hasKey $redisConfig "cluster") (hasKey $redisConfig "sentinel")) -}}
{{- fail "controlPlane.config.redis names a Redis, and redis.enabled brings another: keep one of them" -}}
{{- end -}}
{{- if and .Values.redis.enabled .Values.externalRedis.existingSecret -}}
{{- fail "externalRedis.existingSecret is for a Redis of yours: set redis.enabled to false" -}}
{{- end -}}
{{- $many := or .Values.controlPlane.autoscaling.enabled (gt (int $cp.replicas) 1) -}}
{{- if and $many (not $ha) -}}
{{- fail "more than one node needs controlPlane.config.highAvailability.enabled: true" -}}
{{- end -}}
{{- $drain := include "parallax.seconds" (dig "server" "drainTimeout" "30s" $cp.config) | float64 -}}
{{- if ge (addf $drain $cp.preStopSeconds) (float64 $cp.terminationGracePeriodSeconds) -}}
{{- fail (printf "controlPlane.terminationGracePeriodSeconds (%v) has to be longer than preStopSeconds (%v) and config.server.drainTimeout (%v s) together" $cp.terminationGracePeriodSeconds $cp.preStopSeconds $drain) -}}
{{- end -}}
{{- end -}}
