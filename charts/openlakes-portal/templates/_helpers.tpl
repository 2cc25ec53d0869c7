{{/* Name of every object. */}}
{{- define "openlakes-portal.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "openlakes-portal.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "openlakes-portal.labels" -}}
{{ include "openlakes-portal.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") | quote }}
{{- end -}}

{{- define "openlakes-portal.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "openlakes-portal.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "openlakes-portal.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* What pod security "restricted" asks of every container. */}}
{{- define "openlakes-portal.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Lines of pip's requirements file for plugins that name a package; empty when none does. */}}
{{- define "openlakes-portal.requirements" -}}
{{- range $id, $plugin := .Values.plugins -}}
{{- if and $plugin.package (ne $plugin.enabled false) -}}
{{- if and $plugin.sha256 (not (regexMatch "^(https|http|file)://.+[.]whl$" $plugin.package)) -}}
{{- fail (printf "plugins.%s.sha256 needs plugins.%s.package to be the address of a wheel (https://... or file:///wheels/... ending in .whl)" $id $id) -}}
{{- end -}}
{{ $plugin.package }}{{ with $plugin.sha256 }}#sha256={{ . }}{{ end }}
{{ end -}}
{{- end -}}
{{- end -}}

{{/* Mistakes that a schema cannot see. */}}
{{- define "openlakes-portal.check" -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- if not .Values.database.url -}}
{{- fail "replicas is more than 1: set database.url to a Secret with the address of a PostgreSQL, because SQLite serves one replica only" -}}
{{- end -}}
{{- if not .Values.security.key -}}
{{- fail "replicas is more than 1: set security.key to a Secret with 32 bytes, because all replicas must read each other's tokens" -}}
{{- end -}}
{{- if and .Values.persistence.enabled (not .Values.persistence.existingClaim) (ne .Values.persistence.accessMode "ReadWriteMany") -}}
{{- fail "replicas is more than 1: set persistence.accessMode to ReadWriteMany, or persistence.enabled to false" -}}
{{- end -}}
{{- end -}}
{{- if ne .Values.auth.mode "oidc" -}}
{{- fail "auth.mode must be oidc in a cluster: demo personas are for loopback only, and the portal refuses to start with them anywhere else" -}}
{{- end -}}
{{- if and (not .Values.ingress.enabled) (not (dig "server" "public_url" "" .Values.settings)) -}}
{{- fail "ingress.enabled is false: set settings.server.public_url to the address under which the portal is reached" -}}
{{- end -}}
{{- end -}}
