# Plugin for oh-my-zsh, which runs compinit before it loads plugins.
if (( ${+commands[soong]} )); then
    eval "$(${commands[soong]} init zsh)"
fi
