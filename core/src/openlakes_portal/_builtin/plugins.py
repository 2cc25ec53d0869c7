"""Installed plugins as the Plugins page shows them."""

from openlakes_portal._builtin.views import PluginView, SettingView
from openlakes_portal._host.portal import Portal
from openlakes_portal._settings.load import effective

ORDER = {"quarantined": 0, "active": 1, "disabled": 2}


def plugin_views(portal: Portal) -> list[PluginView]:
    """Every installed plugin, broken ones first."""
    records = sorted(portal.registry.records, key=lambda r: (ORDER[r.state], r.id))
    views = []
    for record in records:
        contribution = portal.registry.contribution(record.id) if record.state == "active" else None
        contributes: dict[str, int] = {}
        settings: list[SettingView] = []
        if contribution is not None:
            contributes = {
                "routes": len(contribution.routes) + len(contribution.asgi_routes),
                "pages": len(contribution.pages),
                "actions": len(contribution.actions),
                "apps": len(contribution.apps),
                "checks": len(contribution.checks),
                "permissions": len(contribution.permissions),
                "services": len(contribution.services),
            }
            sources = portal.loaded.plugin_sources(record.id)
            settings = [
                SettingView.model_validate(s, from_attributes=True) for s in effective(contribution.settings, sources)
            ]
        views.append(
            PluginView.model_validate(
                {
                    **{name: getattr(record, name) for name in PluginView.model_fields if hasattr(record, name)},
                    "upstream_versions": list(record.upstream_versions),
                    "contributes": contributes,
                    "settings": settings,
                }
            )
        )
    return views
