"""`tack completion SHELL`: the few lines with which a shell asks `tack __complete` for the next word."""

from __future__ import annotations

from hardtack.cli.parse import Command, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args
    from hardtack.cli.streams import Streams

COMMAND = Command(
    "bash|zsh|fish",
    "Print a completion script for a shell",
    least=1,
    most=1,
    operands="bash|zsh|fish",
    details=(
        "bash: put `source <(tack completion bash)` into ~/.bashrc.\n\n"
        "zsh: put `source <(tack completion zsh)` into ~/.zshrc, after compinit.\n\n"
        "fish: run `tack completion fish > ~/.config/fish/completions/tack.fish`."
    ),
)

_BASH = r"""# bash completion for tack
_tack() {
    local IFS=$'\n' cur words cword answer
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n =: cur words cword
    else
        cur=${COMP_WORDS[COMP_CWORD]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
    fi
    COMPREPLY=()
    for answer in $("${words[0]}" __complete "${words[@]:1:cword-1}" "$cur" 2>/dev/null); do
        if [[ $answer == :files ]]; then
            compopt -o default 2>/dev/null
        else
            COMPREPLY+=("${answer%%$'\t'*}")
        fi
    done
    if declare -F __ltrim_colon_completions >/dev/null; then
        __ltrim_colon_completions "$cur"
        [[ $cur == *=* ]] && COMPREPLY=("${COMPREPLY[@]#"${cur%%=*}="}")
    fi
    return 0
}
complete -F _tack tack
"""

_ZSH = r"""#compdef tack
_tack() {
    local -a answers
    local line files=0
    for line in "${(@f)$(${words[1]} __complete "${(@)words[2,CURRENT-1]}" "${words[CURRENT]}" 2>/dev/null)}"; do
        if [[ $line == :files ]]; then
            files=1
        elif [[ -n $line ]]; then
            answers+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        fi
    done
    (( ${#answers} )) && _describe -V 'tack' answers
    (( files )) && _files
}
compdef _tack tack
"""

_FISH = r"""# fish completion for tack
function __tack_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] __complete $words[2..-1] 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            echo -- $line
        end
    end
end
complete -c tack -f -a '(__tack_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def run(args: Args, streams: Streams) -> int:
    """Print the script of the named shell."""
    script = SCRIPTS.get(args.args[0])
    if script is None:
        raise UsageError(f"no completion for {args.args[0]}: choose bash, zsh or fish", 1)
    streams.out.write(script)
    return 0
