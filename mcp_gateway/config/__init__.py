"""Settings: one TOML file, one model a section, unknown keys refused."""

from mcp_gateway.config.authorization import (
    AssertionSection,
    AuthorizationSection,
    LoginSection,
    WorkloadSection,
)
from mcp_gateway.config.gateway import Certificate, Gateway, NetworkSection
from mcp_gateway.config.governance import Governance, RegistrySection
from mcp_gateway.config.grants import DiscoveryGrant, GrantSection
from mcp_gateway.config.identity import Identity
from mcp_gateway.config.policy import Action, GuardSection, Label, PolicySection
from mcp_gateway.config.records import LedgerSection, LogFormat, LogLevel, Telemetry
from mcp_gateway.config.sections import SCOPE, Address, Block, ConfigError, Secret, Section, Url
from mcp_gateway.config.servers import Server
from mcp_gateway.config.settings import PREFIX, Settings, faults_of, load, validated
from mcp_gateway.config.streams import SessionsSection, StreamsSection
from mcp_gateway.config.vault import Pkcs11, VaultSection

__all__ = [
    "PREFIX",
    "SCOPE",
    "Action",
    "Address",
    "AssertionSection",
    "AuthorizationSection",
    "Block",
    "Certificate",
    "ConfigError",
    "DiscoveryGrant",
    "Gateway",
    "Governance",
    "GrantSection",
    "GuardSection",
    "Identity",
    "Label",
    "LedgerSection",
    "LogFormat",
    "LogLevel",
    "LoginSection",
    "NetworkSection",
    "Pkcs11",
    "PolicySection",
    "RegistrySection",
    "Secret",
    "Section",
    "Server",
    "SessionsSection",
    "Settings",
    "StreamsSection",
    "Telemetry",
    "Url",
    "VaultSection",
    "WorkloadSection",
    "faults_of",
    "load",
    "validated",
]
