"""Every command by its name: where it lives and its one line. Only the module that is called gets imported.

A group's name maps to its own table; a group within a group has both names, "registry user". An alias points at the
same module, as docker's `images` and `image ls` do. Where verbs of one noun share a module, a colon separates the two:
`registry_user:create` is what `VERBS["create"]` of that module has, a table and a function.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Entry = tuple[str, str]
    Table = dict[str, Entry]

COMMANDS: Table = {
    "run": ("run", "Create and run a new container from an image"),
    "exec": ("exec", "Run a command in a running container"),
    "ps": ("ps", "List containers"),
    "build": ("build", "Build an image from a Dockerfile"),
    "pull": ("pull", "Download an image from a registry"),
    "push": ("push", "Upload an image to a registry"),
    "images": ("images", "List images"),
    "login": ("login", "Log in to a registry"),
    "logout": ("logout", "Log out from a registry"),
    "version": ("version", "Show the version"),
    "info": ("info", "Show what this host offers and what was chosen"),
    "attach": ("attach", "Attach to a running container"),
    "cp": ("cp", "Copy files between a container and the host"),
    "create": ("create", "Create a new container"),
    "diff": ("diff", "Show what changed in a container's filesystem"),
    "history": ("history", "Show the history of an image"),
    "import": ("import_", "Make an image from a tarball of a filesystem"),
    "inspect": ("inspect", "Show everything about containers, images, volumes or networks"),
    "kill": ("kill", "Send a signal to running containers"),
    "load": ("load", "Load images from an archive"),
    "logs": ("logs", "Show the logs of a container"),
    "pause": ("pause", "Pause all processes of containers"),
    "port": ("port", "Show the published ports of a container"),
    "rename": ("rename", "Rename a container"),
    "restart": ("restart", "Restart containers"),
    "rm": ("rm", "Remove containers"),
    "rmi": ("rmi", "Remove images"),
    "save": ("save", "Save images to an archive"),
    "start": ("start", "Start stopped containers"),
    "stop": ("stop", "Stop running containers"),
    "tag": ("tag", "Give an image another name"),
    "top": ("top", "Show the processes of a container"),
    "unpause": ("unpause", "Resume paused containers"),
    "wait": ("wait", "Wait until containers stop, then print their exit codes"),
    "completion": ("completion", "Print a completion script for a shell"),
}

GROUPS: dict[str, tuple[str, Table]] = {
    "container": (
        "Manage containers",
        {
            name: COMMANDS[name]
            for name in (
                "attach",
                "cp",
                "create",
                "diff",
                "exec",
                "inspect",
                "kill",
                "logs",
                "pause",
                "port",
                "rename",
                "restart",
                "rm",
                "run",
                "start",
                "stop",
                "top",
                "unpause",
                "wait",
            )
        }
        | {"ls": COMMANDS["ps"], "prune": ("container_prune", "Remove all stopped containers")},
    ),
    "image": (
        "Manage images",
        {
            name: COMMANDS[name]
            for name in ("build", "history", "import", "inspect", "load", "pull", "push", "save", "tag")
        }
        | {
            "ls": COMMANDS["images"],
            "rm": COMMANDS["rmi"],
            "prune": ("image_prune", "Remove unused images"),
        },
    ),
    "manifest": (
        "Look at manifests in a registry",
        {"inspect": ("manifest_inspect", "Show a remote manifest or index")},
    ),
    "network": (
        "Manage networks",
        {
            "ls": ("network_ls", "List networks"),
            "inspect": ("network_inspect", "Show everything about networks"),
        },
    ),
    "registry": (
        "Serve a registry, and look after it",
        {
            "serve": ("registry_serve", "Serve a registry over HTTP or HTTPS"),
            "backup": ("registry_backup", "Back a registry up while it serves"),
            "fsck": ("registry_fsck", "Check a registry, and repair it"),
            "restore": ("registry_restore", "Fill an empty registry from a backup"),
            "migrate": ("registry_migrate", "Copy a registry to another database and storage"),
            "gc": ("registry_gc", "Free the space of what a registry no longer needs"),
            "retention": ("registry_retention", "Delete what the rules of retention let go"),
            "why": ("registry_why", "Show why a registry keeps a blob or a manifest"),
        },
    ),
    "registry config": (
        "Write and check the configuration of a registry",
        {
            "check": (
                "registry_config:check",
                "Say everything that is wrong with a configuration, or what is in force",
            ),
            "example": ("registry_config:example", "Print a configuration with every option, commented"),
        },
    ),
    "registry grant": (
        "Give and take rights on a registry's repositories",
        {
            "add": ("registry_grant:add", "Give somebody rights on repositories"),
            "ls": ("registry_grant:ls", "List grants"),
            "rm": ("registry_grant:rm", "Take grants back, at once and everywhere"),
        },
    ),
    "registry org": (
        "Manage the organisations of a registry",
        {
            "add-member": (
                "registry_org:add-member",
                "Make users members of an organisation, or change what they are in it",
            ),
            "create": ("registry_org:create", "Create an organisation"),
            "ls": ("registry_org:ls", "List organisations"),
            "remove-member": ("registry_org:remove-member", "Take users out of an organisation and its teams"),
            "rm": ("registry_org:rm", "Delete organisations with their teams and robots"),
            "show": ("registry_org:show", "Show everything about organisations"),
        },
    ),
    "registry namespace": (
        "Manage the namespaces of a registry",
        {
            "ls": ("registry_namespace:ls", "List namespaces for which something is set"),
            "set": ("registry_namespace:set", "Limit what a namespace may use, or say who sees what is new in it"),
            "show": ("registry_namespace:show", "Show namespaces and what they use"),
        },
    ),
    "registry repo": (
        "Manage the repositories of a registry",
        {
            "create": ("registry_repo:create", "Create an empty repository"),
            "delete": ("registry_repo:delete", "Delete a repository with everything in it"),
            "deleted": ("registry_repo_past:deleted", "List what can be brought back"),
            "history": ("registry_repo_past:history", "Show what tags have pointed to, when, and by whom"),
            "ls": ("registry_repo:ls", "List repositories"),
            "rename": ("registry_repo:rename", "Give a repository another name, in the same namespace or another"),
            "restore": ("registry_repo_past:restore", "Bring back what was deleted"),
            "set": ("registry_repo:set", "Change what is set for a repository"),
            "show": ("registry_repo:show", "Show everything about a repository"),
        },
    ),
    "registry robot": (
        "Manage accounts of programs in a registry",
        {
            "create": ("registry_robot:create", "Create a robot and print its secret"),
            "disable": ("registry_robot:disable", "Disable robots"),
            "enable": ("registry_robot:enable", "Enable robots that were disabled"),
            "ls": ("registry_robot:ls", "List robots"),
            "rm": ("registry_robot:rm", "Delete robots"),
            "rotate": ("registry_robot:rotate", "Give a robot another secret and print it"),
        },
    ),
    "registry team": (
        "Manage the teams of a registry's organisations",
        {
            "add-member": ("registry_team:add-member", "Put members of the organisation into a team"),
            "create": ("registry_team:create", "Create teams"),
            "ls": ("registry_team:ls", "List the teams of an organisation"),
            "remove-member": ("registry_team:remove-member", "Take users out of a team"),
            "rm": ("registry_team:rm", "Delete teams with what was granted to them"),
        },
    ),
    "registry token": (
        "Manage personal access tokens of a registry",
        {
            "create": ("registry_token:create", "Create a personal access token and print it"),
            "ls": ("registry_token:ls", "List the tokens of a user"),
            "rm": ("registry_token:rm", "Revoke tokens, at once and everywhere"),
        },
    ),
    "registry user": (
        "Manage the users of a registry",
        {
            "create": ("registry_user:create", "Create a user"),
            "disable": ("registry_user:disable", "Disable users, with their tokens, robots and sessions"),
            "edit": ("registry_user:edit", "Change what is known of a user"),
            "enable": ("registry_user:enable", "Enable users that were disabled"),
            "logout": ("registry_user:logout", "End every session and every docker login of users"),
            "ls": ("registry_user:ls", "List users"),
            "passwd": ("registry_user:passwd", "Set a user's password, and end what was begun with the old one"),
            "rm": ("registry_user:rm", "Delete users"),
            "show": ("registry_user:show", "Show everything about users"),
        },
    ),
    "system": (
        "Look after the store",
        {
            "df": ("system_df", "Show how much disk is used, and by what"),
            "info": COMMANDS["info"],
            "prune": ("system_prune", "Remove what nothing uses"),
            "fsck": ("system_fsck", "Check the store, and repair it"),
            "reset": ("system_reset", "Throw away everything of this root"),
            "why": ("system_why", "Show why a blob or a layer is kept"),
        },
    ),
    "volume": (
        "Manage volumes",
        {
            "create": ("volume_create", "Create a volume"),
            "inspect": ("volume_inspect", "Show everything about volumes"),
            "ls": ("volume_ls", "List volumes"),
            "prune": ("volume_prune", "Remove volumes that no container uses"),
            "rm": ("volume_rm", "Remove volumes"),
        },
    ),
}


def groups_within(group: str) -> dict[str, str]:
    """The groups directly within a group, "" for the program itself, with their lines."""
    start = f"{group} " if group else ""
    found = {name[len(start) :]: entry[0] for name, entry in GROUPS.items() if name.startswith(start)}
    return {name: summary for name, summary in found.items() if " " not in name}
