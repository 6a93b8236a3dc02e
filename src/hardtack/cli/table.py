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
    "registry": ("Serve a registry", {"serve": ("registry_serve", "Serve a registry over HTTP or HTTPS")}),
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
