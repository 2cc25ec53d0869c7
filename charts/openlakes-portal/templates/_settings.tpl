{{/*
The portal's settings file, made from values. It is written as JSON, which is YAML too: Helm reads every number as a
float, and only JSON writes large ones back as integers.
*/}}

{{- define "openlakes-portal.secretsFolder" -}}/run/openlakes/secrets{{- end -}}

{{/* A value with every {secretRef: {name, key}} turned into {file: ...}; wrapped as {"value": ...} to survive as JSON. */}}
{{- define "openlakes-portal.resolve" -}}
{{- if kindIs "map" . -}}
{{- if hasKey . "secretRef" -}}
{{- dict "value" (dict "file" (printf "%s/%s/%s" (include "openlakes-portal.secretsFolder" .) .secretRef.name .secretRef.key)) | toJson -}}
{{- else -}}
{{- $out := dict -}}
{{- range $key, $value := . -}}
{{- $_ := set $out $key (include "openlakes-portal.resolve" $value | fromJson).value -}}
{{- end -}}
{{- dict "value" $out | toJson -}}
{{- end -}}
{{- else if kindIs "slice" . -}}
{{- $out := list -}}
{{- range . -}}
{{- $out = append $out (include "openlakes-portal.resolve" . | fromJson).value -}}
{{- end -}}
{{- dict "value" $out | toJson -}}
{{- else -}}
{{- dict "value" . | toJson -}}
{{- end -}}
{{- end -}}

{{- define "openlakes-portal.settings" -}}
{{- $scheme := ternary "https" "http" .Values.ingress.tls.enabled -}}
{{- $address := ternary (printf "%s://%s" $scheme .Values.ingress.host) "" .Values.ingress.enabled -}}
{{- $given := deepCopy .Values.settings -}}
{{- $server := mergeOverwrite (dict "public_url" $address "log_format" "json") (default dict $given.server) -}}
{{- $fixed := dict "host" "0.0.0.0" "port" 8600 "data_dir" "/var/lib/openlakes" -}}
{{- $auth := deepCopy .Values.auth -}}
{{- if not $auth.oidc -}}{{- $auth = omit $auth "oidc" -}}{{- end -}}
{{- $database := deepCopy .Values.database -}}
{{- if not $database.url -}}{{- $database = omit $database "url" -}}{{- end -}}
{{- $security := deepCopy .Values.security -}}
{{- if not $security.key -}}{{- $security = omit $security "key" -}}{{- end -}}
{{- $plugins := dict -}}
{{- range $id, $plugin := .Values.plugins -}}
{{- $enabled := ternary true $plugin.enabled (kindIs "invalid" $plugin.enabled) -}}
{{- $_ := set $plugins $id (mergeOverwrite (default dict (deepCopy (default dict $plugin.config))) (dict "enabled" $enabled)) -}}
{{- end -}}
{{- $ours := dict "server" (mergeOverwrite $server $fixed) "auth" $auth "database" $database "security" $security "plugins" $plugins -}}
{{- (include "openlakes-portal.resolve" (mergeOverwrite $given $ours) | fromJson).value | toPrettyJson -}}
{{- end -}}

{{/* Secrets that the settings refer to, as sources of one projected volume. */}}
{{- define "openlakes-portal.secretSources" -}}
{{- $folder := include "openlakes-portal.secretsFolder" . -}}
{{- range regexFindAll (printf "%s/[^\"]+" $folder) (include "openlakes-portal.settings" .) -1 | uniq | sortAlpha }}
{{- $parts := splitList "/" (trimPrefix (printf "%s/" $folder) .) }}
- secret:
    name: {{ index $parts 0 | quote }}
    items:
      - key: {{ index $parts 1 | quote }}
        path: {{ printf "%s/%s" (index $parts 0) (index $parts 1) | quote }}
{{- end }}
{{- end -}}
